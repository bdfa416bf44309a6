### Messages that are shown once after a redirect.

flash-link-sent = The link is on its way again. The one before is void.
flash-email-corrected = The address is corrected and a new link is on its way there. The one before is void.
flash-registration-cancelled = The registration is cancelled. The link in the customer’s mail is void.
flash-consent-saved = Your choice is saved and holds from now on.
flash-web-address-saved = The web address is changed.
flash-device-released = The device is released. Nobody reaches it through your account any more.
flash-session-allowed = The session is allowed. You can stop it at any time.
flash-session-refused = The session is refused. The technician is told.
flash-session-stopped = The session is stopped.
flash-session-extended = The session is extended, as far as the device’s own settings allow. You can stop it at any time.
flash-extension-refused = The session is not extended and ends as planned. If the technician is waiting for your answer, they have it now; else they read it in the history.
flash-refused-session-too-long = This session has reached the longest time that is allowed. Once it has ended, the technician can ask for another.
flash-refused-session-longest = The device’s own settings let this session last no longer. Once it has ended, the technician can ask for another.
flash-refused-extension-answered = Somebody has already answered, so nothing was changed. The session is open, and you can stop it at any time.
flash-refused-session-over = This session was already over, so nothing was changed.
flash-email-confirmed = Your e-mail address is confirmed and your password is set. Sign in now.
flash-organisation-added = The company is added to your account. Choose it under “Your organisations”.
flash-password-set = Your password is set. Sign in with it now.
flash-signed-out = You are signed out.
flash-refused-sign-in-first = Sign in first; you will then come to the page you asked for.
flash-data-saved = Your data is saved.
flash-device-retired = The device is retired. Its certificate no longer connects.
flash-dismissed = The key is refused.
flash-key-approved = The key is accepted. The device gets its certificate when it asks again.
flash-device-revoked = The certificate is taken back. The device has to enrol with a new key.
