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
