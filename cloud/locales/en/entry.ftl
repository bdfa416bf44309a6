### The pages before somebody is signed in, and the fields of every form.

field-email = E-mail address
field-password = Password
field-new-password = New password
field-repeated = The same once more
field-organisation-name = Name of the household or company
field-company = Company
field-name = Name
field-your-name = Your name
field-phone = Telephone
field-address = Street and number
field-postcode = Postcode
field-city = Town
field-country = Country
field-mail-language = Language of mails to you
field-token = Code from the mail
field-token-hint = The part of the link after the sign #. It is filled in by itself when your browser allows scripts.
field-user-code = Code that the program shows
field-label = Label text
field-label-open = Paste the label text
field-label-hint = Paste what your scanner reads from the square code. It fills in ID code, MAC and secret.
field-id-code = ID code
field-mac = MAC address
field-proof = On-site code or label secret
field-proof-hint = The device shows the on-site code on its local page. The label secret is in the label’s square code.
field-web-address = Web address
field-web-address-hint = The name under which the customer reaches the device’s own pages.
field-customer-email = Customer’s e-mail address
field-customer-email-hint = The activation link goes there.
field-installer-email = The other installer’s e-mail address
password-hint = At least 12 characters. A short sentence is easier to keep than a jumble.
continue = Continue
save = Save
leave-as-is = Leave as it is
back-to-sign-in = Back to sign in

refused-password-short = { $least } characters at least, please.
refused-password-common = This password is easily guessed. Add a word or two that only you would put together.
refused-not-your-password = This address has an account already, and this is not its password. Give the one you sign in with.
refused-password-differs = The two passwords differ. Type the same twice.
refused-missing-rest = Needed as soon as any of the customer’s data is filled in.
refused-unprintable = Contains a character that cannot be printed. Type it again.
refused-phone = A telephone number has digits, spaces and + ( ) - . only.

sign-in-title = Sign in
sign-in-lead = To your devices and sessions.
sign-in-button = Sign in
sign-in-forgotten = Forgotten password
sign-in-installer = Do you install devices and have no account yet?
sign-in-sign-up = Sign up as an installer
sign-in-refused = E-mail address and password do not fit together. Check both, or ask for a new password.

sign-up-title = Sign up as an installer
sign-up-lead = Once for your company. Every device you add later uses this account.
sign-up-email-hint = You sign in with it. A mail with a link goes there, where you choose your password.
sign-up-button = Sign up
sign-up-known = Signed up before?

look-title = Look in your mail
look-what = A mail is on its way to the address you gave. Its link takes you the next step.
look-next = Nothing after a few minutes? Look among unwanted mail, check the address, and ask again.

confirm-email-title = Confirm your e‑mail address
confirm-email-what = Choose the password you will sign in with, and your account is ready.
confirm-email-button = Confirm and set password

add-organisation-title = Add the company to your account
add-organisation-what = This address has an account already. Give the password you sign in with, and the company in the mail is added to it.
add-organisation-button = Add the company

forgotten-title = Forgotten password
forgotten-what = Give your e-mail address and a link to set a new password goes there. Your present password holds until then.
forgotten-button = Send the link

set-password-title = Set your password
set-password-what = Choose the password you sign in with from now on.
set-password-button = Set password

activate-title = Your device is waiting
activate-what = Your installer has registered a device for you. Continue to see it, check your data and confirm. Nothing has been activated by opening this page.
activate-not-yet = You will be asked to sign in. If you have no password yet, use the link in the other mail first.

approve-title = A program wants to sign in
approve-type = Type the code that gatelodge sign-in shows.
approve-compare = Compare this code with the one the program shows. Approve only if they are the same and you started it yourself.
approve-asked = Asked
approve-as = Signs in as
approve-means = The program will be able to list your devices and open sessions in your name, until you sign out there.
approve-button = Approve
approve-refuse = Refuse
approve-done-title = Approved
approve-done-what = The program is signed in. Go back to it; you may close this page.
approve-refused-title = Refused
approve-refused-what = The program was told no. If you did not start it, somebody tried to sign in as you: tell your administrator.
refused-user-code = This code is unknown, used or expired. Start gatelodge sign-in again for a new one.
