### Mails.

mail-hello = Hello,
mail-hello-name = Hello { $name },
mail-or-copy = If the button does nothing, copy this address into your browser:
mail-life = The link is good for { $life } and for one use.
mail-sender = Sent by { $sender }. Questions? Ask your installer, or answer this mail.
mail-login = You sign in with
mail-nothing-to-do = There is nothing you have to do.
mail-why-sign-up = You get this mail because this address was entered to sign up as an installer.
mail-why-forgotten = You get this mail because somebody asked for a new password for this address.
mail-why-registered = You get this mail because an installer entered this address for a device.
mail-why-confirmed = You get this mail because you confirmed a device.
mail-why-your-device = You get this mail because your company registered the device.
mail-why-ask = You get this mail because you chose to be asked before each session.
mail-why-released = You get this mail because the device was released from your account.
mail-why-take-over = You get this mail because { $customer } entered this address for their device.
mail-why-handed-over = You get this mail because it is your device.

mail-confirm-email-subject = Confirm your e-mail address
mail-confirm-email-what = Somebody, probably you, signed up { $company } as an installer with this address. Confirm it and choose your password, and your account is ready.
mail-confirm-email-nothing = If you do nothing, no account is made. If it was not you, ignore this mail.
mail-account-exists-subject = You have an account already
mail-account-exists-what = Somebody, probably you, signed up again with this address. It has an account already, so nothing was changed.
mail-account-exists-forgotten = Sign in with it. If you have forgotten the password, ask for a new one there.
mail-account-exists-nothing = If it was not you, ignore this mail.
mail-add-organisation-subject = Add { $company } to your account
mail-add-organisation-what = Somebody, probably you, signed up { $company } as an installer with this address. It has an account already: confirm with its password, and { $company } is added to it.
mail-add-organisation-nothing = If you do nothing, your account stays as it is. If it was not you, ignore this mail.
mail-set-password-subject = Set a new password
mail-set-password-what = Follow the link to choose a new password.
mail-set-password-nothing = If you do nothing, your present password stays. If it was not you, ignore this mail.
mail-welcome-subject = Your login
mail-welcome-what = { $installer } has registered a device for you, so an account was made for you.
mail-welcome-next = Choose a password first. A second mail has the link that shows you the device.
mail-welcome-nothing = If you do nothing, nobody can sign in with this address and nothing is activated.

mail-activation-subject = Confirm your { $product } { $name }
mail-activation-what = { $installer } has registered { $name } for you. Confirm that it is yours, check your data and choose who may enter it from afar.
mail-activation-next = Nothing is active until you have signed in and confirmed.
mail-activation-button = See and confirm
mail-activation-nothing = If you do nothing, the device is not activated. If you do not know of it, ignore this mail.
mail-activated-customer-subject = { $name } is active
mail-activated-customer-what = You have confirmed { $name }. The device knows it and shows it on its local page.
mail-activated-customer-nothing = If it was not you, open the device’s page and release it, then set a new password.
mail-doubled-subject = { $name } seems to be in two places
mail-doubled-what = Two machines connect as { $name } and throw each other off: both hold its key, as when a disk or a backup was copied into another device.
mail-doubled-next = Find out which of them is the right one, switch the other off and reset it. If you do not know the other one, ask the vendor to take the device’s certificates back.
mail-doubled-nothing = If you do nothing, neither of them stays connected, and whoever has the other one can speak as this device.
mail-activated-installer-subject = { $name } is confirmed
mail-activated-installer-what = The customer has confirmed { $name }. It is active now.
mail-session-subject = { $organisation } asks to enter { $name }
mail-session-what = { $technician } of { $organisation } asks to enter { $name } for { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}.
mail-session-reason = Reason given
mail-session-button = Allow or refuse
mail-session-nothing = If you do nothing, nobody enters.
mail-extension-subject = { $organisation } asks for more time in the session with { $name }
mail-extension-what = { $technician } of { $organisation } has a session open with { $name } and asks for { $minutes ->
    [one] { $minutes } more minute
   *[other] { $minutes } more minutes
}.
mail-extension-button = Extend or not
mail-extension-nothing = If you do nothing, the session ends as planned.
mail-released-subject = { $name } is released
mail-released-customer-what = { $name } is released. You no longer reach it, and its certificate is void.
mail-released-customer-nothing = If it was not you, set a new password and tell your installer.
mail-released-installer-what = The owner has released { $name }. It can be registered again by whoever has it in hand.
mail-take-over-subject = { $customer } asks you to take over { $name }
mail-take-over-what = { $customer } wants you to be the installer of { $name } from now on.
mail-take-over-next = Nothing changes until you have signed in as an installer and taken it over. Without an account, sign up in the portal first, then come back to this mail.
mail-take-over-button = See and take over
mail-take-over-nothing = If you do nothing, everything stays as it is. If you do not know who asks, ignore this mail.
mail-handed-over-customer-subject = { $installer } is the installer of { $name } now
mail-handed-over-customer-what = { $installer } has taken over { $name }. The installer before has no right to it any more, and their sessions have ended.
mail-handed-over-customer-next = You are asked about every session from now on. If you trust the new installer at any time, say so on the device’s page.
mail-handed-over-customer-nothing = If this is not the installer you meant, choose “never” on the device’s page at once, then change installer again.
mail-handed-over-button = To the device
mail-handed-over-installer-subject = { $name } has another installer
mail-handed-over-installer-what = The owner of { $name } has changed installer. You no longer see the device, and your sessions with it have ended; your past sessions stay in your history.
mail-key-pinned-subject = A passkey is pinned on { $name }
mail-key-pinned-what = Somebody at { $name } has pinned a passkey on it. From now on nobody enters without that passkey’s signature, a rule that it has signed, or a press on the device.
mail-key-pinned-nothing = If it was none of you, somebody else stands before your device: remove the key there, on the device’s own page.
mail-key-gone-subject = The passkey on { $name } is gone
mail-key-released-what = The passkey that was pinned on { $name } has said itself that the device is to forget it.
mail-key-removed-what = Somebody at { $name } has removed the passkey that was pinned on it.
mail-key-gone-next = From now on the portal’s word lets technicians in again, by the rule on the device’s page.
mail-key-gone-nothing = If it was none of you, choose “never” on the device’s page, and look after the device.
mail-key-button = See the key
mail-to-your-devices = To your devices

mail-second-factor-added-subject = Your account has a new second factor
mail-second-factor-added-what = A passkey or an authenticator app was added to your account. From now on it is asked for when you sign in.
mail-second-factor-removed-subject = A second factor was removed from your account
mail-second-factor-removed-what = A passkey or an authenticator app was removed from your account.
mail-recovery-codes-subject = Your account has new recovery codes
mail-recovery-codes-what = New recovery codes were made for your account. Those from before are void.
mail-second-factor-nothing = If that was you, there is nothing to do. If it was not, set a new password at once and tell whoever runs the portal.
mail-why-account = You get this mail because something about how you sign in has changed.

mail-emergency-subject = Remote sessions were stopped in an emergency
mail-emergency-what = The vendor has stopped remote sessions that concern you. What was open has ended, and nobody gets in until the stop is lifted.
mail-emergency-button = See the sessions
mail-emergency-nothing = There is nothing you have to do.
mail-why-emergency = You get this mail because you lead an organisation whose sessions were stopped.

mail-break-glass-subject = Break-glass: { $technician } has entered { $name } in an emergency
mail-break-glass-what = { $technician } ({ $organisation }) has opened a session on { $name } without asking, for { $minutes } minutes at most. You had agreed to this for emergencies.
mail-break-glass-what-installer = { $technician } ({ $organisation }) has opened a session on { $name } without asking the customer, for { $minutes } minutes at most, as the customer had agreed for emergencies. The customer has been told.
mail-break-glass-button = See it, or stop it
mail-break-glass-nothing = If this is no emergency to you, stop the session by one press, and withdraw the agreement on the page of the device.
