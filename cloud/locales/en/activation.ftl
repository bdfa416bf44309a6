### Registration and activation: what a refusal says.

refused-yours = You have registered this device already. You find it among your devices.
refused-label-secret-wrong = This is not the secret of this device’s label. Scan the label once more.
activation-link-expired = This activation link has expired. Ask your installer to send it again; it takes them one press.
activation-link-used = This device is confirmed already. Sign in, and you find it under My devices.
activation-link-superseded = A newer mail has replaced this link. Open the link in the newest activation mail.
activation-link-withdrawn = The installer has taken this registration back. Ask them to register the device again.
activation-link-unknown = This activation link is not known. Open it from the mail once more, in full.
activation-another-account = This device was registered for another e-mail address. Sign out, then sign in with the account the activation mail was sent to.
