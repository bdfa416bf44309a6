### The pages before somebody is signed in.

field-email = E-mail address
field-password = Password

sign-in-title = Sign in
sign-in-lead = To your devices and sessions.
sign-in-button = Sign in
sign-in-forgotten = Forgotten password
sign-in-installer = Do you install devices and have no account yet?
sign-in-sign-up = Sign up as an installer
sign-in-refused = E-mail address and password do not fit together. Check both, or ask for a new password.
