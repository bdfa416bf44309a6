### Accounts: links in mails, own organisation, where somebody is signed in.

link-refused-unknown = This link is not known. Open it from the newest mail, in full.
link-refused-expired = This link has expired.
link-refused-used = This link has been used already.
link-refused-superseded = A newer mail has replaced this link. Open the newest one.

my-organisation = Your organisation
my-organisations = Your organisations
my-organisation-this = You act for it now.
my-organisation-switch = Act for it
my-organisation-installs = Do you install devices for others, too?
my-sign-ins = Where you are signed in
my-browsers = Browsers
my-browser-this = This browser
my-browser-end = Sign it out
my-browsers-end = Sign out all other browsers
my-programs = Programs
my-programs-none = No program is signed in as you. With gatelodge sign-in, one asks you to approve it here.
my-program-unused = not yet
my-program-revoke = Sign it out
fact-browser = Browser
fact-last-seen = Last seen
fact-last-used = Last used
fact-good-until = Good until

flash-sign-in-ended = Signed out there.

second-factor-title = Second factor
second-factor-lead = A password can be guessed or stolen. With a second factor nobody signs in as you who has only that.
second-factor-needed = Before you can ask for a session you need a second factor. Add a passkey or an authenticator app here.
passkeys-title = Passkeys
passkeys-lead = A passkey lives in your phone, your computer or a security key, and opens with your finger, your face or its PIN. It cannot be given away by mistake, and it signs you in without a password.
passkeys-need-script = Passkeys need a browser that knows them and runs scripts. Without, use an authenticator app.
passkey-add-title = Add a passkey
passkey-add = Add a passkey
passkey-rename = Give it another name
passkey-name-hint = So that you know it again: “My phone”, “Blue key”.
passkey-failed = That did not work. Try it once more, or use another way.
passkey-use = Use a passkey
passkey-sign-in = Sign in with a passkey
field-passkey-name = Name of the passkey
fact-added = Added
factor-remove = Remove
app-title = Authenticator app
app-lead = An app on your phone shows a code of six digits that changes every half minute.
app-here = Your authenticator app
app-add = Set up an app
app-replace = Set up another app
app-add-title = Set up an authenticator app
app-scan = Scan this square with the app on your phone.
app-square = Square code for the authenticator app
app-type = Or type this key into the app:
app-code-hint = The six digits that the app shows now.
app-confirm = Finish
field-app-code = Code from the app
recovery-title = Recovery codes
recovery-left = { $left ->
    [0] No recovery code is left. Make new ones, so that you get in when phone and keys are lost.
    [one] One recovery code is left. Make new ones soon.
   *[other] { $left } recovery codes are left. Each lets you in once, when phone and keys are lost.
}
recovery-make = Make new recovery codes
recovery-keep = Keep these recovery codes
recovery-what = Each of these codes lets you in once, when your phone and your keys are lost. Print them, or keep them where you keep your passwords.
recovery-once = They are shown this once. Codes from before are void.
recovery-kept = I have kept them
second-step-title = Second step
second-step-app = Type the code that your authenticator app shows, or use a passkey or a recovery code.
second-step-passkey = Use your passkey, or one of your recovery codes.
second-step-lost = Lost everything? Whoever runs this portal can remove your second factor.
field-code = Code
code-hint = Six digits from the app, or a recovery code.
field-recovery-code = Recovery code
recovery-code-hint = Sixteen letters and digits.
confirm-self-title = Is it still you?
confirm-self-what = Show once more who you are, then you go on to where you were.
confirm-self-button = Go on
refused-password-wrong = This is not your password.
refused-app-code = This code does not fit. Type the one that the app shows now; if it never fits, set the phone’s clock to automatic.
refused-second-factor-code = This code does not fit. Wait for the app’s next one and type that, or use a recovery code that is left.
refused-second-factor-stale = This took too long or was done already. Begin again.
refused-passkey = This passkey was not accepted. Try it once more, or use another way.
refused-passkey-known = This passkey is known here already.
refused-passkeys-many = An account has { $most } passkeys at most. Remove one first.
refused-passkey-no-name = Passkeys need a portal with a host name. Ask who runs it.
refused-second-factor-unknown = There is no such second factor in your account.
refused-second-factor-wait = Too many tries. Wait { $seconds } seconds, then try again.
flash-factor-removed = Removed. A mail tells you so.
flash-factor-added = Added. A mail tells you so.
flash-passkey-renamed = The passkey has its new name.
flash-confirmed = Thank you, that was you.
flash-refused-second-step-stale = That took too long. Sign in again.
