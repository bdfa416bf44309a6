### What happened, before the name of whoever did it.

audit-devices-imported = Imported { $added } devices; { $refused } lines were refused
audit-device-enrolled = The device enrolled and got its certificate
audit-device-certificate-renewed = The device renewed its certificate
audit-device-conflict = Another key asked for this device’s identity
audit-device-doubled = Two machines connect with this device’s key
audit-enrolment-flood = Over { $asked } questions for certificates came in an hour, far more than a fleet asks; nobody is turned away for it
audit-device-key-approved = Accepted a new key for the device
audit-device-key-refused = Refused another key for the device
audit-device-revoked = Revoked the device’s certificates
audit-device-retired = Retired the device for good
audit-on-site-code-locked = The code shown on the device was typed wrongly too often; it is void until the device shows a new one
audit-activation-mail-refused = The mail with the link to { $email } was refused: { $reason }
audit-device-registered = Registered the device for { $email }
audit-device-activated = Confirmed and activated the device; consent: { $consent ->
    [ask] ask each time
    [always] at any time
   *[never] never
}
audit-device-released = Released the device
audit-standing-rule-signed = Signed the rule with the passkey pinned on the device, good until { $valid_until }
audit-take-over-offered = Asked { $email } to take the device over as installer
audit-take-over-withdrawn = Took back the link to { $email } for another installer
audit-take-over-mail-refused = The mail with the link to { $email } was refused: { $reason }
audit-installer-changed = { $installer } has taken the device over from { $before }; the customer is asked about every session
audit-registration-cancelled = Cancelled the registration for { $email }
audit-link-sent = Sent the activation link to { $email } again
audit-email-corrected = Corrected the customer’s address to { $email }
audit-consent-changed = Changed who may enter: { $consent ->
    [ask] ask each time
    [always] at any time
   *[never] nobody
}
audit-consent-hours-changed = Changed who may enter: at any time, at certain hours ({ $zone })
audit-device-opened = Opened the device for { $hours_open } hours
audit-device-closed = Closed the device again
audit-emergency-stop = Stopped in an emergency ({ $scope ->
    [everybody] all sessions
    [installer] the sessions of one installer
   *[device] the sessions on one device
}): { $reason }
audit-emergency-stop-lifted = Lifted the emergency stop
audit-web-address-changed = Changed the web address to { $web_address }
audit-session-requested = Asked for a session to { $services }: { $reason }
audit-session-requested-bare = Asked for a session to { $services }, without giving a reason
audit-session-allowed = Allowed the session
audit-session-refused = Refused the session
audit-session-refused-by-rule = The rule “never” refused a session
audit-session-opened = The session opened
audit-session-joined = The device joined the session, and lets it last { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} in all: its own settings allow no more
audit-session-joined-bare = The device joined the session
audit-session-extension-asked = Asked for { $minutes ->
    [one] { $minutes } more minute
   *[other] { $minutes } more minutes
} in the session
audit-session-extended = Extended the session by { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}
audit-session-extended-on-device = The device lets the session last longer, but only { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} in all: its own settings allow no more
audit-session-extended-on-device-bare = The device lets the session last longer
audit-session-extension-declined = Gave no more time in the session
audit-session-extension-refused = The device does not let the session last longer: { $reason ->
    [longest] its own settings allow no more
    [off] remote access is switched off on the device
    [consent] as the device knows the rule, nobody may enter
    [owner] the device has changed hands
    [not_open] the session is not open there any more
    [proof] the customer’s key is pinned on it and has not signed a later end
   *[grant] it does not accept what the cloud has signed
}
audit-session-ended = The session ended: { $reason ->
    [technician] by the technician
    [customer] by the customer
    [device] by Stop on the device
    [expired] its time was over
    [idle] nothing happened
    [revoked] a right fell away
    [relay_lost] the connection was lost
    [never_joined] nobody joined
    [device_off] remote access is switched off on the device
    [device_consent] as the device knows the rule, nobody may enter
    [device_owner] the device has changed hands
    [device_services] the device’s own settings list nothing of what was asked for
    [device_busy] the device carries no more sessions
    [device_clock] by the device’s clock it came too late
    [device_fault] the device could not open it
    [device_proof] the customer’s key is pinned on the device and had not signed it
   *[refused] the device refused
}
audit-session-allowed-on-device = Somebody pressed Allow on the device
audit-session-refused-on-device = Somebody pressed Refuse on the device
audit-key-offered = Offered a passkey to the device: { $fingerprint }
audit-key-release-signed = Signed that the device is to forget its key { $fingerprint }
audit-key-pinned = The customer’s key was pinned on the device: { $fingerprint }
audit-key-declined = Somebody at the device did not want the key { $fingerprint }
audit-key-forgotten = The customer’s key was removed from the device { $by ->
    [key] by a statement of its own
   *[device] by somebody at the device
}
audit-session-record-cut-short = The session’s process on the device died; connections that it opened in its last moments may be missing here
audit-flow-opened = Opened { $target }
audit-flow-refused = Was refused { $target }
audit-flow-closed = Closed { $target }
audit-installer-signed-up = { $organisation } signed up as an installer
audit-password-set = Set a new password
audit-program-signed-in = Signed in with the program from { $network }
audit-recording-key-set = Set the passphrase for recordings of terminals
audit-recording-key-replaced = Set another passphrase for recordings of terminals
audit-recording-taken = The device sent the recording of a terminal
audit-recording-opened = Replayed the recording of a terminal, for { $organisation }
audit-recording-deleted = Deleted the recording of a terminal, { $days ->
    [one] { $days } day
   *[other] { $days } days
} old
audit-token-issued = Made the API token { $label }
audit-token-revoked = Revoked the API token { $label }
audit-browsers-signed-out = { $browsers ->
    [one] Signed out another browser
   *[other] Signed out { $browsers } other browsers
}
audit-second-factor-added = Added a second factor: { $factor ->
    [app] an authenticator app
   *[passkey] a passkey
}
audit-second-factor-removed = Removed a second factor: { $factor ->
    [app] the authenticator app
    [all] everything that was set up
   *[passkey] a passkey
}
audit-recovery-codes-made = Made new recovery codes
audit-recovery-code-used = Used a recovery code; { $left } are left
audit-organisation-changed = Changed the data of { $organisation }
audit-other = { $what }
audit-own-page-asked = Opened the device’s own page
audit-break-glass-agreed = Agreed that the installer may enter in an emergency without asking: { $role ->
    [administrator] administrators
    [supervisor] administrators and supervisors
   *[technician] all technicians
}
audit-break-glass-withdrawn = No longer agreed that anybody enters in an emergency without asking
audit-session-break-glass = Entered in an emergency without asking (break-glass): “{ $reason }”, to { $services }
