### Devices, registration, activation, sessions and what happened.

life-manufactured = Manufactured
life-enrolled = Enrolled
life-registered = Registered
life-active = Active
life-released = Released
life-retired = Retired
state-manufactured = Manufactured, not enrolled yet.
state-enrolled = Enrolled since { $date }, not registered.
state-registered = Registered on { $date }, waiting for the customer.
state-active = Active since { $date }.
state-released = Released on { $date }.
state-retired = Retired on { $date }.
state-online = Online.
state-offline-since = Offline, last seen { $ago }.
state-never-seen = Not seen yet.
state-doubled = Two machines connect with its key: find the other one and reset it.
state-consent-to-customer-ask = Your installer may enter when you allow it.
state-consent-to-customer-always = Your installer may enter at any time.
state-consent-to-customer-never = Nobody may enter.
state-consent-to-installer-ask = The customer is asked before each session.
state-consent-to-installer-always = The customer allows sessions at any time.
state-consent-to-installer-never = The customer allows no sessions.
presence-online = Online
presence-offline = Offline, seen { $ago }
presence-never = Not seen yet

column-device = Device
column-state = State
column-presence = Presence
column-customer = Customer
column-installer = Installer
column-services = Services
column-presets = To pick
kind-programming = Programming
kind-web = Web page
kind-video = Video
column-ticket = Ticket number
column-networks = Networks
column-calls = Calls the technician
column-technician = Technician
column-when = When
column-lasted = Open for
column-bytes = Data
column-end = Ended by
column-subject = Subject
column-recipient = To

search-label = Search for a device
search-hint = Name, ID code, MAC, customer
search-button = Search
filter-label = Filter by state
filter-all = All
search-none-title = Nothing fits
search-none-what = No device fits this search and filter. Try a part of the name or the last four characters of the ID code.
search-clear = Show all devices
more-devices = More devices
older = Older

home-hello = Hello, { $name }
home-recent = Latest devices
home-all = All devices
home-quiet = Nothing waits for you.
home-live = A session is open now.
home-asked = Somebody waits for your word.
home-quarantine = Hardware that is not in the inventory has asked for a certificate.
home-quarantine-next = Look at the quarantine
figure-devices = { $count ->
    [one] device
   *[other] devices
}
figure-waiting = { $count ->
    [one] waits for its customer
   *[other] wait for their customer
}
figure-offline = active but offline
figure-live = { $count ->
    [one] open session
   *[other] open sessions
}
figure-made = { $count ->
    [one] device made
   *[other] devices made
}
figure-active = { $count ->
    [one] active at a customer
   *[other] active at customers
}
figure-online = online now
figure-quarantined = in quarantine

add-device-action = Add device
devices-none-title = No devices yet
devices-none-what = Add the first one from its label. Have ID code, MAC address and the customer’s e-mail address at hand.
my-devices-none-title = No devices yet
my-devices-none-what = When an installer registers a device for you, a mail with a link comes to you. Open the link to add the device here.

steps-label = Steps
step-label = Label
step-customer = Customer
step-sent = Sent
add-device-title = Add device
check-button = Check
check-fits = ID code and MAC fit: { $product }
add-customer-title = The customer
add-customer-lead = The activation link will go to { $email }. Fill in what you know; the customer checks and corrects it. You may also leave it all to the customer.
save-with-button = Save with this data
save-without-button = Save without data
save-hint = Saving sends the mails. Nothing is active until the customer confirms.
sent-title = The link is on its way
sent-state = { $name } is registered.
sent-what = The activation link went to { $email } and is good until { $date }.
sent-next-title = What happens next
sent-next-saved = The registration is saved.
sent-next-customer = The customer opens the link, signs in, checks the data and chooses who may enter.
sent-next-active = The device becomes active and says so on its local page. You get a mail.
to-the-device = To the device
add-another = Add another device
refused-pair = ID code and MAC do not belong together, or there is no such device. Compare both with the label.
refused-taken = This device is registered already. If it should be yours, its owner has to release it first.
refused-retired = This device is retired and cannot be registered. Ask the vendor for a replacement.
refused-web-address-taken = This web address is in use. Choose another, like { $proposal }.
refused-not-seen = The device has not reported yet. Connect it, wait until it shows a code, and check again.
refused-proof = The code does not fit. Read it on the device once more; { $left } tries are left.
refused-proof-used-up = Too many wrong codes, or the code is too old. Let the device show a new one.
refused-proof-disputed = More than one device asks under these names, so its code is not enough. Ask the vendor to look at its quarantine.
refused-label-secret-over = This device has had an owner, so the label secret counts no more. Let the device show a code and type that.
refused-proof-missing = Type the on-site code that the device shows, or the label secret.

link-title = Waiting for the customer
link-sent = The activation link went to { $email } { $ago }.
link-leaving = The activation link is on its way to { $email }.
link-until = It is good until { $date }.
link-expired = It has expired. Send it again.
link-resend = Send the link again
link-correct = Correct the address
link-cancel = Cancel registration
correct-title = Correct the customer’s address
correct-what = A new link goes to the corrected address. The link in the old mail is void at once.
correct-button = Correct and send
cancel-title = Cancel registration
cancel-question = Cancel the registration of { $name }?
cancel-what = The link sent to { $email } is void at once. The device can then be registered again, by you or by somebody else who has it in hand.
cancel-button = Cancel the registration
cancel-keep = Keep it

facts-title = Details
facts-vendor-title = From the inventory
fact-product = Product
fact-serial = Serial number
fact-firmware = Firmware
fact-agent = Agent
fact-addresses = Local addresses
fact-reported = Last report
fact-network = Network
fact-purchased = Purchased on
fact-proof = Proves itself by
fact-certificate = Certificate
fact-organisation = Organisation
fact-role = Role
fact-created = Account since
fact-sign-ins = Sign-ins
certificate-until = good until { $date }
proof-factory-secret = factory secret
proof-on-site-code = on-site code

confirm-title = Confirm your device
confirm-question = Is { $name } yours?
confirm-state = { $installer } has registered it for you.
confirm-compare = Compare the ID code with the label:
confirm-owner-title = Whose device it is
confirm-owner-another = Another household or company
confirm-owner-another-means = It starts with your data below and this device.
confirm-data-title = Your data
confirm-data-hint = Filled in by your installer where known. Correct it as you like; only you and your installer see it.
confirm-consent-title = Who may enter
confirm-button = Confirm and activate
consent-heading = Who may enter
consent-title = May your installer enter the device from afar?
consent-ask = Ask me each time
consent-means-ask = You get a request for each session and allow or refuse it. Recommended.
consent-always = Yes, at any time
consent-means-always = Your installer’s technicians may enter without asking. You see every session and can stop it.
consent-never = No, never
consent-means-never = Nobody enters from afar. A technician has to come to you.
consent-ground = This rule is kept by the portal and by the device itself. You can change it at any time, and every session is in your history.
refused-owner-missing = Choose whose device it is.
refused-organisation-name-missing = Give the other household or company a name.
refused-consent-missing = Choose who may enter.
activated-title = Your device is active.
activated-name = { $name } is yours
activated-next-title = What happens now
activated-next-device = The device is told and shows it on its local page.
activated-next-installer = { $installer } gets a mail that you have confirmed.
activated-next-change = On the device’s page you can change who may enter, and see and stop sessions.

release-heading = Release
release-short = When the device is sold, returned or replaced, give it back here.
release-open = Release this device
release-question = Release { $name }?
release-what = You will no longer reach it, open sessions end at once, and its certificate is void. Your history with it is closed to whoever owns it next.
release-after = The device itself goes on working. Somebody who has it in hand can have it registered again.
release-type = To confirm, type { $name }
release-button = Release { $name }
release-keep = Keep it
refused-not-the-name = Type exactly { $name } to confirm.
web-address-hint-customer = The name under which you reach the device’s own pages.

requests-lead = A technician wants to enter one of your devices, or to stay longer. Nothing happens until you allow it.
requests-none-title = Nobody waits
requests-none-what = When a technician asks to enter, the request appears here and comes to you by mail.
to-the-sessions = To the sessions
session-waiting = Waits for the customer
session-waiting-you = Waits for you
session-open = Open
session-refused = Refused
session-ended = Ended
session-who = { $technician } of { $organisation }
session-until = Open until
session-length = Length
session-no-reason = No reason was given.
session-network-asked = The whole network { $network } is asked for: not this device alone, but everything in that network can be reached.
session-call-asked = The installation may call the technician’s computer: whatever in { $from } connects to port { $port } of this device reaches a program there, while the session lasts.
session-call = The installation can call the technician’s computer: whatever in { $from } connects to port { $port } of this device reaches a program there.
session-network = This session covers the whole network { $network }: not this device alone, but everything in that network can be reached.
session-asked = Asked
session-allow = Allow
session-refuse = Refuse
session-stop = Stop
session-more-asked = { $technician } asks for { $minutes ->
    [one] { $minutes } more minute
   *[other] { $minutes } more minutes
}.
session-feature-terminal = With a terminal: commands can be run on the device itself. What is done there is recorded.
session-feature-files = With files: they can be copied to and from the folders that the device offers.
session-feature-discovery = With a look around: the device tells what it finds on your network.
session-feature-web = By a browser: what passes goes through the portal, and whoever runs the portal can read it.
session-reason = “{ $reason }”
not-longer-longest = The device’s own settings let this session last no longer.
not-longer-off = The device does not let it last longer: remote access is switched off on the device itself.
not-longer-consent = The device does not let it last longer: as it knows your rule, nobody may enter.
not-longer-owner = The device does not let it last longer: it has changed hands.
not-longer-proof = The device does not let it last longer: your key is pinned on it, and has not signed a later end.
not-longer-not-open = The device does not let it last longer: the session is not open there any more.
not-longer-grant = The device does not let it last longer: it does not accept what the cloud has signed.
session-more-declined = More time was asked for and not given.
session-extend = Extend by { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}
session-extend-not = Give no more time
sessions-live = Now
sessions-past = Past sessions
sessions-none-live = No session is open or waiting.
sessions-none-past = No session so far.
sessions-none-installer = No session so far. Open one from your computer:
end-technician = Technician
end-customer = Customer
end-device = Stop on the device
end-expired = Time was over
end-idle = Nothing happened
end-revoked = A right fell away
end-relay-lost = Connection lost
end-never-joined = Nobody joined
end-refused = Device refused
end-device-off = Switched off on the device
end-device-consent = Not allowed on the device
end-device-owner = The device changed hands
end-device-services = Not offered by the device
end-device-busy = The device was busy
end-device-clock = Too late for the device’s clock
end-device-fault = The device could not open it
end-device-proof = The customer’s key had not signed it

my-data-person = Person
my-data-account = Account
my-data-password = Change password
history-lead = What happened to your devices and your account, newest first.
history-csv = For spreadsheets (CSV)
history-json = For programs (JSON)
history-none = Nothing so far.

inventory-none-title = The inventory is empty
inventory-none-what = Import devices from a CSV file with ID code, MAC, serial, product, purchase date and proof:
revoke-heading = Certificate
revoke-short = When its key may be in wrong hands, take the certificate back. The device stays its owner’s and has to enrol with a new key.
revoke-button = Take the certificate back
retire-heading = Retire
retire-short = Revokes the device for good. Use it for destroyed, stolen or cloned hardware.
retire-open = Retire this device
retire-question = Retire { $id } for good?
retire-what = Its certificate no longer connects, open sessions end at once, and it cannot be enrolled or registered again. This cannot be undone.
retire-button = Retire for good
quarantine-lead = Hardware that asked for a certificate and may not have one. Nothing of it can connect.
quarantine-none-title = The quarantine is empty
quarantine-none-what = Unknown hardware and two keys for one identity would appear here.
quarantine-unknown = It is not in the inventory. Import it if it is yours.
quarantine-conflict = Another key holds this identity. The device that is connected stays; find out which of the two is real.
quarantine-mismatch = ID code, MAC and serial belong to different devices of the inventory. Compare with the label.
quarantine-several = Several keys wait for this identity. Find out which is the real device and let that one in.
quarantine-seen = Asked
quarantine-first = first { $ago }
quarantine-dismiss = Refuse this key
quarantine-approve = Let this key in
mailbox-banner = No mail server is set, so mails stay here.
mailbox-banner-next = Everyone who reads this page can follow the links in them. Set mail.smtp_url to send them instead.
mailbox-none = No mails so far.
mail-to = To { $recipient }
mail-plain = As plain text
mail-html = As a mail program shows it
audit-lead = Everything that happened on this cloud, newest first.

open-heading = Open it for a while
open-lead = Somebody is on the telephone, or works for you today? Open the device by one press; afterwards your rule holds again.
open-2 = Open for 2 hours
open-24 = Open for 24 hours
open-until = Open, without asking you, until
open-close = Close it now
hours-heading = “At any time” only at certain hours
hours-lead = Tick the days and say the hours. Outside of them you are asked each time, and a session that the hours have opened ends with them. With no day ticked it is any hour.
hours-row = Hours, row { $number }
hours-from = From
hours-until = until
hours-zone = Time zone
day-mon = Mon
day-tue = Tue
day-wed = Wed
day-thu = Thu
day-fri = Fri
day-sat = Sat
day-sun = Sun
flash-device-opened = The device is open for a while. You can close it at any time.
flash-device-closed = The device is closed; your rule holds again.

session-targets = What was opened
session-targets-none = Nothing yet.
session-target = Target
target-open = open
target-closed = closed
target-refused = refused
session-allow-longer = Allow more than this once
session-allow-longer-what = This session is allowed as it was asked for, and whatever your installer asks for in the next hours needs no answer. Afterwards your rule holds again.
session-allow-2 = Allow, and open for 2 hours
session-allow-24 = Allow, and open for 24 hours
nav-emergency = Emergency stop
emergency-lead = Ends sessions at once and keeps new ones out until you lift it. Everybody concerned is told, with your reason.
emergency-everybody = All sessions of everybody
emergency-installer = All sessions of one installer
emergency-device = All sessions on one device
emergency-installer-of = Sessions of { $installer }
emergency-device-of = Sessions on the device { $device }
emergency-by = Stopped by { $name }
emergency-lift = Lift the stop
emergency-stop-title = Stop now
emergency-whose = Which sessions?
emergency-reason = Reason
emergency-reason-hint = In one line; customers and installers read it.
emergency-stop = Stop now
refused-emergency-unknown = There is none like this. Check what you chose.
flash-emergency-stopped = Stopped. Nobody gets in there until you lift it.
flash-emergency-lifted = Lifted. Sessions may be asked for again.

break-glass-heading = In an emergency
break-glass-lead = What if it is urgent and you cannot answer? You may agree now that your installer enters then without asking, for one hour at most. You and they get a mail at once, with the reason, and you can stop it by one press.
break-glass-who = Who may
break-glass-administrator = The installer’s administrators
break-glass-supervisor = The installer’s administrators and supervisors
break-glass-technician = All technicians of the installer
break-glass-agreed-administrator = You have agreed: the installer’s administrators may enter in an emergency.
break-glass-agreed-supervisor = You have agreed: the installer’s administrators and supervisors may enter in an emergency.
break-glass-agreed-technician = You have agreed: all technicians of the installer may enter in an emergency.
break-glass-hint = It never helps where your rule is “Never”, nor against the switch on the device or a key that you have pinned to it.
break-glass-agree = Agree to it
break-glass-withdraw = Withdraw it
break-glass-use = Break-glass: this is an emergency
break-glass-use-hint = You enter without an answer, for one hour at most. The customer and your organisation get a mail at once, with your reason.
session-break-glass = Break-glass
session-break-glass-what = Opened in an emergency without asking, as the customer had agreed.
