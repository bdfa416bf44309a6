//! One struct per page, filled by the feature that owns it. Fields are plain data of the shared types; the words are
//! in `templates/` and `locales/`. `...Form` structs are both what a page shows again and what it posts.

mod approve;
mod customer;
mod entry;
mod fault;
#[cfg(test)]
mod gallery;
mod home;
mod installer;
mod own;
mod row;
mod vendor;

pub use approve::{ApproveDone, ApproveSignIn, AskedSignIn};
pub use customer::{
    Activated, ActivationForm, ActivationLanding, ConfirmActivation, CustomerDevice, History, MyData, MyDataForm,
    MyDevices, OwnerChoice, Release, Requests, Sessions,
};
pub use entry::{
    AddOrganisation, ConfirmEmail, ForgottenPassword, LookInMail, SetPassword, SignIn, SignInForm, SignUp, SignUpForm,
};
pub use fault::FaultPage;
pub use home::{CustomerHome, InstallerHome, VendorHome};
pub use installer::{
    AddCustomer, AddDevice, CancelRegistration, CorrectEmail, CustomerForm, DeviceSent, InstallerDevice,
    InstallerDevices, LabelForm, LinkFacts,
};
pub use own::{BrowserRow, MembershipRow, MyOrganisation, MyOrganisationForm, MySignIns, ProgramRow};
pub use row::{Call, DeviceFacts, DeviceRow, HistoryRow, ProvenBy, SessionRow, Shown};
pub use vendor::{
    Audit, Inventory, InventoryRow, Mail, MailHtml, MailRow, Mailbox, Quarantine, QuarantineRow, Retire, VendorDevice,
};
