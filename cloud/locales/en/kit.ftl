### Dates, sizes, refusals of single fields, faults and what every page shares.

month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
date-first = 1
date-and-clock = { $date }, { $clock } UTC
ago-now = just now
ago-minutes = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
ago-hours = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
ago-days = { $count ->
    [one] yesterday
   *[other] { $count } days ago
}
in-moment = in a moment
in-minutes = { $count ->
    [one] in { $count } minute
   *[other] in { $count } minutes
}
in-hours = { $count ->
    [one] in { $count } hour
   *[other] in { $count } hours
}
in-days = { $count ->
    [one] tomorrow
   *[other] in { $count } days
}
span-seconds = { $count ->
    [one] { $count } second
   *[other] { $count } seconds
}
span-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
span-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}

refused-empty = Fill this in.
refused-too-long = { $most } characters at most, please.
refused-code-character = “{ $character }” does not occur in such a code. It has digits and letters without I, L, O and U.
refused-id-code-length = An ID code has 12 characters; this one has { $length }. Type it as on the label, like 7K3M-9QWX-22FP.
refused-id-code-check = A character is wrong or two are swapped. Compare the ID code with the label once more.
refused-on-site-code-length = An on-site code has 8 characters; this one has { $length }. The device shows it on its local page, like 4F7K-92XQ.
refused-label-secret-length = A label secret has 16 characters; this one has { $length }. Scan the label or type all four groups.
refused-label-secret-check = A character is wrong or two are swapped. Compare the label secret with the label once more.
refused-mac-shape = A MAC address has 12 digits from 0 to 9 and A to F, like 02:42:AC:11:00:02.
refused-mac-group = { $mac } is not the address of one device. Take the MAC address from the label.
refused-serial-length = A serial number has 1 to 64 characters; this one has { $length }.
refused-serial-character = “{ $character }” does not occur in a serial number. It has letters, digits and . _ - /
refused-email = This is not an e-mail address. Write it like name@example.com.
refused-label = This is not a device’s label. Scan the square code beside ID and MAC, or type them.
refused-web-address-length = A web address has 3 to 40 characters; this one has { $length }.
refused-web-address-character = “{ $character }” cannot stand in a web address. Use letters without accents, digits and dashes, like villa-rosa.
refused-web-address-dash = A web address starts and ends with a letter or a digit, like villa-rosa.
refused-web-address-reserved = “{ $name }” is kept for the portal. Choose another, like villa-rosa.

fault-not-found-title = This page is not here
fault-not-found-what = The address is wrong, or what it showed is gone or belongs to somebody else.
fault-not-found-next = Check the address, or start again from your home page.
fault-forbidden-title = This is not yours to do
fault-forbidden-what = Your role in this organisation does not allow it.
fault-forbidden-next = Ask an administrator of your organisation, or go back to your home page.
fault-cross-site-title = This was sent from another site
fault-cross-site-what = The form did not come from this portal, so nothing was changed.
fault-cross-site-next = Open the portal yourself and do it there.
fault-bad-form-title = The form did not arrive whole
fault-bad-form-what = Something was missing on the way, so nothing was changed.
fault-bad-form-next = Go back, load the page again and send the form once more.
fault-too-large-title = This is too much at once
fault-too-large-what = The form is larger than the portal takes, so nothing was changed.
fault-too-large-next = Go back and shorten what you wrote.
fault-changed-title = This has changed meanwhile
fault-changed-what = Somebody else, or another window of yours, was quicker. Nothing was changed now.
fault-changed-next = Go back and load the page again to see how it stands.
fault-throttled-title = Too many tries
fault-throttled-what = To keep guessers away, the portal takes a break here.
fault-throttled-next = Wait a few minutes and try again.
fault-broken-title = Something is broken on our side
fault-broken-what = Your request could not be carried out. It was written down for the people who run this portal.
fault-broken-next = Try again in a moment. If it stays, tell support the number below.
fault-unavailable-title = The portal is busy
fault-unavailable-what = It cannot answer at the moment.
fault-unavailable-next = Try again in a few seconds.
fault-full-title = The portal’s disk is full
fault-full-what = Nothing new can be saved at the moment, and nothing of this was.
fault-full-next = Try again later. Reading, signing in, stopping a session and withdrawing consent work meanwhile.
fault-stale-link-title = This link is no longer good
fault-stale-link-what = It was used already, has expired, or a newer mail has replaced it.
fault-stale-link-next = Use the newest mail, or ask for another one.
fault-request = Number of this request:
fault-home = To the home page

skip-to-content = Skip to content
navigation = Navigation
account-menu = Account
sign-out = Sign out
language = Language
theme = Appearance
theme-system = As the system
theme-light = Light
theme-dark = Dark
copy = Copy
copied = Copied
optional = optional
label-before = { $label }:
form-refused = Please correct this first:
role-administrator = Administrator
role-supervisor = Supervisor
role-technician = Technician
role-basic = Basic
nav-home = Home
nav-devices = Devices
nav-my-devices = My devices
nav-add-device = Add device
nav-sessions = Sessions
nav-requests = Requests
nav-history = History
nav-my-data = My data
nav-inventory = Inventory
nav-quarantine = Quarantine
nav-mailbox = Mailbox
nav-audit = Audit
