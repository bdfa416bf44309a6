//! One struct per page, filled by the feature that owns it. Fields are plain data of the shared types; the words are
//! in `templates/` and `locales/`. `...Form` structs are both what a page shows again and what it posts.

mod approve;
mod customer;
mod emergency;
mod entry;
mod fault;
mod finds;
#[cfg(test)]
mod gallery;
mod hand_over;
mod home;
mod installer;
mod own;
mod recordings;
mod row;
mod second_factor;
mod terminal;
mod vendor;
mod web_page;

pub use approve::{ApproveDone, ApproveSignIn, AskedSignIn};
pub use customer::{
    Activated, ActivationForm, ActivationLanding, ConfirmActivation, CustomerDevice, DeviceKey, History, KeyShown,
    KeyStanding, MyData, MyDataForm, MyDevices, OwnerChoice, Release, Requests, SessionPage, Sessions, SignedRuleShown,
    Target,
};
pub use emergency::{EmergencyStops, StopForm, StopRow};
pub use entry::{
    AddOrganisation, ConfirmEmail, ForgottenPassword, LookInMail, SetPassword, SignIn, SignInForm, SignUp, SignUpForm,
};
pub use fault::FaultPage;
pub use finds::{FindRow, FindsPage, LookStands};
pub use hand_over::{ChangeInstaller, TakeOver, TakeOverLanding};
pub use home::{CustomerHome, InstallerHome, VendorHome};
pub use installer::{
    AddCustomer, AddDevice, CancelRegistration, CorrectEmail, CustomerForm, DeviceSent, InstallerDevice,
    InstallerDevices, LabelForm, LinkFacts,
};
pub use own::{BrowserRow, MembershipRow, MyOrganisation, MyOrganisationForm, MySignIns, ProgramRow};
pub use recordings::{RecordingRow, Recordings, Replay};
pub use row::{Call, DeviceFacts, DeviceRow, HistoryRow, PresetFacts, ProvenBy, SessionRow, Shown};
pub use second_factor::{AddApp, ConfirmSelf, MySecondFactor, PasskeyRow, RecoveryCodes, SecondStep};
pub use terminal::{TerminalPage, WishChoice};
pub use vendor::{
    Audit, Inventory, InventoryRow, Mail, MailHtml, MailRow, Mailbox, Quarantine, QuarantineRow, Retire, VendorDevice,
};
pub use web_page::{EnterWebPage, Gate, GateLink, OwnPage, WebPage, WebPageChoice, WebService};
