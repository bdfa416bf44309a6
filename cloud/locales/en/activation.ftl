### Registration and activation: what a refusal says.

refused-yours = You have registered this device already. You find it among your devices.
refused-label-secret-wrong = This is not the secret of this device’s label. Scan the label once more.
activation-link-expired = This activation link has expired. Ask your installer to send it again; it takes them one press.
activation-link-used = This device is confirmed already. Sign in, and you find it under My devices.
activation-link-superseded = A newer mail has replaced this link. Open the link in the newest activation mail.
activation-link-withdrawn = The installer has taken this registration back. Ask them to register the device again.
activation-link-unknown = This activation link is not known. Open it from the mail once more, in full.
take-over-link-expired = This link has expired. Ask the customer to send it again.
take-over-link-used = The device was taken over with this link. Sign in as whoever did so, and you find it under Devices.
take-over-link-superseded = The customer has taken this link back or sent a newer one. Open the newest mail, or ask them.
take-over-link-withdrawn = This device is not to be taken over any more. Ask the customer.
activation-another-account = This device was registered for another e-mail address. Sign out, then sign in with the account the activation mail was sent to.
