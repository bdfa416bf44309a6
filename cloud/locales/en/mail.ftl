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
mail-to-your-devices = To your devices
