//! SQL of the devices feature, by table.

pub(super) mod certificates;
pub(super) mod codes;
pub(super) mod commands;
pub(super) mod enrolments;
pub(super) mod inventory;
pub(super) mod lists;
pub(super) mod messages;
pub(super) mod presence;
pub(super) mod speakers;
pub(super) mod starts;
