//! The words of registration and activation: what an installer enters, what a customer corrects, and how both look
//! to the people who may see them.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, OrganisationId, RegistrationId, Timestamp, UserId,
    api::FieldProblem,
    identity::{ClaimSecret, EmailAddress, IdCode, MacAddress, OnSiteCode, SerialNumber, WebAddress},
    opening::Opening,
    payload::{Consent, Life, Preset, Report},
};
use serde::{Deserialize, Serialize};

/// How long an activation link is good for.
pub const LINK_LIFE: Duration = Duration::from_secs(72 * 60 * 60);

/// Why an installer may register a device: proof of standing before it or of holding its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// The code that the device shows.
    OnSiteCode(OnSiteCode),
    /// The secret in the label's QR.
    LabelSecret(ClaimSecret),
}

/// What an installer enters to add a device.
#[derive(Debug, Clone)]
pub struct Claim {
    /// From the label.
    pub id_code: IdCode,
    /// From the label.
    pub mac: MacAddress,
    /// The name wanted for the device's own pages.
    pub web_address: WebAddress,
    /// Where the activation link goes.
    pub email: EmailAddress,
    /// Why this installer may.
    pub presence: Presence,
}

/// Who a customer is, as far as installer and customer have said it. All or nothing: an installer who knows no
/// address leaves it to the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerData {
    /// The person.
    pub name: String,
    /// The company, when it is not a household.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// A number to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Street and house number.
    pub address: String,
    /// Postal code.
    pub postcode: String,
    /// Town.
    pub city: String,
    /// Country, as it stands on letters.
    pub country: String,
}

/// [`CustomerData`] as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CustomerForm {
    /// The person.
    pub name: String,
    /// The company, when it is not a household.
    pub company: String,
    /// A number to call.
    pub phone: String,
    /// Street and house number.
    pub address: String,
    /// Postal code.
    pub postcode: String,
    /// Town.
    pub city: String,
    /// Country.
    pub country: String,
}

/// Which fields of a customer form do not fit, each with its sentence's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("some of the customer's data is missing or does not fit")]
pub struct InvalidCustomerData(pub Vec<FieldFault>);

/// One field that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's name in forms and API.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a field of the customer's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Empty although the rest is filled.
    #[error("this is needed once any of the customer's data is entered")]
    Missing,
    /// More than a letter would carry.
    #[error("this is too long; use at most {0} characters")]
    TooLong(usize),
    /// Line breaks or other characters that do not print.
    #[error("this contains a character that cannot be printed; type it again")]
    Unprintable,
    /// No telephone number.
    #[error("a telephone number has digits, spaces and + ( ) - . only")]
    Phone,
}

impl InvalidCustomerData {
    /// The faults as the API says them.
    pub fn problems(&self) -> Vec<FieldProblem> {
        self.0.iter().map(|fault| FieldProblem { field: fault.field.into(), detail: fault.fault.to_string() }).collect()
    }
}

const LONGEST: usize = 120;

impl CustomerForm {
    /// The data; `None` when nothing at all was entered.
    pub fn read(&self) -> Result<Option<CustomerData>, InvalidCustomerData> {
        let empty = [&self.name, &self.company, &self.phone, &self.address, &self.postcode, &self.city, &self.country]
            .iter()
            .all(|text| text.trim().is_empty());
        if empty { Ok(None) } else { self.read_whole().map(Some) }
    }

    /// The data, which must be there.
    pub fn read_whole(&self) -> Result<CustomerData, InvalidCustomerData> {
        let mut faults = Vec::new();
        let mut keep = |field, outcome: Result<String, Fault>| {
            outcome.unwrap_or_else(|fault| {
                faults.push(FieldFault { field, fault });
                String::new()
            })
        };
        let data = CustomerData {
            name: keep("name", needed(&self.name)),
            company: filled(keep("company", printable(&self.company))),
            phone: filled(keep("phone", phone(&self.phone))),
            address: keep("address", needed(&self.address)),
            postcode: keep("postcode", needed(&self.postcode)),
            city: keep("city", needed(&self.city)),
            country: keep("country", needed(&self.country)),
        };
        if faults.is_empty() { Ok(data) } else { Err(InvalidCustomerData(faults)) }
    }
}

impl From<&CustomerData> for CustomerForm {
    fn from(data: &CustomerData) -> Self {
        let data = data.clone();
        Self {
            name: data.name,
            company: data.company.unwrap_or_default(),
            phone: data.phone.unwrap_or_default(),
            address: data.address,
            postcode: data.postcode,
            city: data.city,
            country: data.country,
        }
    }
}

/// The name of an organisation, as typed.
pub fn organisation_name(text: &str) -> Result<String, Fault> {
    needed(text)
}

fn printable(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Fault::Unprintable);
    }
    if text.chars().count() > LONGEST { Err(Fault::TooLong(LONGEST)) } else { Ok(text.to_owned()) }
}

fn needed(text: &str) -> Result<String, Fault> {
    let text = printable(text)?;
    if text.is_empty() { Err(Fault::Missing) } else { Ok(text) }
}

fn phone(text: &str) -> Result<String, Fault> {
    let text = printable(text)?;
    let sound = text.chars().all(|c| c.is_ascii_digit() || " +()-./".contains(c));
    if sound { Ok(text) } else { Err(Fault::Phone) }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Where an activation link stands. A link that never was and one that was tampered with are both `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkFault {
    /// More than [`LINK_LIFE`] old.
    Expired,
    /// Already confirmed with it.
    Used,
    /// A newer mail voids it.
    Superseded,
    /// The registration was cancelled or has ended.
    Withdrawn,
    /// No such link.
    Unknown,
}

impl LinkFault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Expired, Self::Used, Self::Superseded, Self::Withdrawn, Self::Unknown];

    /// The stable word for problem codes and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "link_expired",
            Self::Used => "link_used",
            Self::Superseded => "link_superseded",
            Self::Withdrawn => "link_withdrawn",
            Self::Unknown => "link_unknown",
        }
    }

    /// What happened and what to do next.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Expired => "this activation link has expired: ask your installer to send it again",
            Self::Used => "this device is confirmed already: you find it among your devices",
            Self::Superseded => "this activation link was replaced by a newer one: open the newest mail",
            Self::Withdrawn => "the installer has taken this registration back: ask them to register the device again",
            Self::Unknown => "this activation link is not known: open it from the mail once more, in full",
        }
    }
}

/// Whom a customer has asked to take over as installer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Where the link went.
    pub to: EmailAddress,
    /// When it was asked for.
    pub at: Timestamp,
}

/// A registration as its installer or its customer sees it, with the device it ties.
#[derive(Debug, Clone)]
pub struct RegistrationView {
    /// Its id.
    pub id: RegistrationId,
    /// The device.
    pub device: DeviceId,
    /// The device's ID code.
    pub id_code: IdCode,
    /// The device's MAC address.
    pub mac: MacAddress,
    /// Its serial number.
    pub serial: SerialNumber,
    /// The product's name.
    pub product: String,
    /// Where the device stands.
    pub life: Life,
    /// Whether the device is there.
    pub online: bool,
    /// Since when.
    pub presence_since: Option<Timestamp>,
    /// What the device last said about itself.
    pub report: Option<Report>,
    /// What there is to pick on it.
    pub presets: Vec<Preset>,
    /// When.
    pub reported_at: Option<Timestamp>,
    /// The installer.
    pub installer: OrganisationId,
    /// Its name.
    pub installer_name: String,
    /// The name of the device's own pages.
    pub web_address: WebAddress,
    /// Where the activation link went.
    pub email: EmailAddress,
    /// The account of that address.
    pub customer_user: UserId,
    /// What the installer entered, or the customer confirmed.
    pub data: Option<CustomerData>,
    /// The customer organisation, from activation on.
    pub customer: Option<OrganisationId>,
    /// Its name.
    pub customer_name: Option<String>,
    /// The rule in force.
    pub consent: Consent,
    /// What it says beside that.
    pub opening: Opening,
    /// Where the registration stands.
    pub state: State,
    /// When it was made.
    pub registered_at: Timestamp,
    /// When it was confirmed.
    pub activated_at: Option<Timestamp>,
}

impl RegistrationView {
    /// What people call the device.
    pub fn name(&self) -> &str {
        self.web_address.as_str()
    }
}

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The customer has not confirmed yet.
    Open,
    /// Confirmed.
    Active,
    /// The installer took it back before it was confirmed.
    Cancelled,
    /// The customer gave the device back.
    Released,
    /// Another installer has taken the device over, by a registration of their own.
    HandedOver,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Open, Self::Active, Self::Cancelled, Self::Released, Self::HandedOver];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
            Self::HandedOver => "handed_over",
        }
    }

    /// The state with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> CustomerForm {
        CustomerForm {
            name: " Rosa Bianchi ".into(),
            address: "12 rue des Lilas".into(),
            postcode: "69003".into(),
            city: "Lyon".into(),
            country: "France".into(),
            ..CustomerForm::default()
        }
    }

    #[test]
    fn nothing_is_nothing_and_half_is_refused_field_by_field() {
        assert_eq!(CustomerForm { name: "  ".into(), ..CustomerForm::default() }.read(), Ok(None));
        let half = CustomerForm { city: String::new(), postcode: String::new(), ..whole() };
        let faults = half.read().unwrap_err().0;
        let missing: Vec<_> = faults.iter().map(|fault| (fault.field, fault.fault)).collect();
        assert_eq!(missing, [("postcode", Fault::Missing), ("city", Fault::Missing)]);
    }

    #[test]
    fn whole_data_is_trimmed_and_reads_back() {
        let data = whole().read().unwrap().unwrap();
        assert_eq!((data.name.as_str(), data.company.as_deref()), ("Rosa Bianchi", None));
        assert_eq!(CustomerForm::from(&data).read(), Ok(Some(data)));
    }

    #[test]
    fn what_could_break_a_letter_or_a_mail_header_is_refused() {
        let fault = |form: CustomerForm| form.read().unwrap_err().0[0].fault;
        assert_eq!(fault(CustomerForm { name: "Rosa\r\nBcc: x".into(), ..whole() }), Fault::Unprintable);
        assert_eq!(fault(CustomerForm { city: "L".repeat(121), ..whole() }), Fault::TooLong(120));
        assert_eq!(fault(CustomerForm { phone: "call me".into(), ..whole() }), Fault::Phone);
    }
}
