### Ce qui s’est passé, avant le nom de qui l’a fait.

audit-devices-imported = { $added } appareils importés ; { $refused } lignes refusées
audit-device-enrolled = L’appareil s’est enrôlé et a reçu son certificat
audit-device-certificate-renewed = L’appareil a renouvelé son certificat
audit-device-conflict = Une autre clé a demandé l’identité de cet appareil
audit-device-doubled = Deux machines se connectent avec la clé de cet appareil
audit-enrolment-flood = Plus de { $asked } demandes de certificat en une heure, bien plus que n’en fait un parc ; personne n’est refusé pour autant
audit-device-key-approved = Nouvelle clé acceptée pour l’appareil
audit-device-key-refused = Autre clé refusée pour l’appareil
audit-device-revoked = Certificats de l’appareil révoqués
audit-device-retired = Appareil retiré pour de bon
audit-on-site-code-locked = Le code affiché sur l’appareil a été mal saisi trop souvent ; il ne vaut plus rien jusqu’à ce que l’appareil en affiche un nouveau
audit-activation-mail-refused = L’e-mail avec le lien pour { $email } a été refusé : { $reason }
audit-device-registered = Appareil enregistré pour { $email }
audit-device-activated = Appareil confirmé et activé ; consentement : { $consent ->
    [ask] demander chaque fois
    [always] à tout moment
   *[never] jamais
}
audit-device-released = Appareil rendu
audit-standing-rule-signed = A signé la règle avec la clé d’accès épinglée sur l’appareil, valable jusqu’au { $valid_until }
audit-take-over-offered = A invité { $email } à reprendre l’appareil comme installateur
audit-take-over-withdrawn = A retiré le lien envoyé à { $email } pour un autre installateur
audit-take-over-mail-refused = Le mail avec le lien pour { $email } a été refusé : { $reason }
audit-installer-changed = { $installer } a repris l’appareil de { $before } ; chaque session est demandée au client
audit-registration-cancelled = Enregistrement pour { $email } annulé
audit-link-sent = Lien d’activation renvoyé à { $email }
audit-email-corrected = Adresse du client corrigée en { $email }
audit-consent-changed = Qui peut entrer a changé : { $consent ->
    [ask] demander chaque fois
    [always] à tout moment
   *[never] personne
}
audit-consent-hours-changed = A changé qui peut entrer : à tout moment, à certaines heures ({ $zone })
audit-device-opened = A ouvert l’appareil pour { $hours_open } heures
audit-device-closed = A refermé l’appareil
audit-emergency-stop = A arrêté d’urgence ({ $scope ->
    [everybody] toutes les sessions
    [installer] les sessions d’un installateur
   *[device] les sessions sur un appareil
}) : { $reason }
audit-emergency-stop-lifted = A levé l’arrêt d’urgence
audit-web-address-changed = Adresse web changée en { $web_address }
audit-session-requested = Session demandée vers { $services } : { $reason }
audit-session-requested-bare = Session demandée vers { $services }, sans motif
audit-session-allowed = Session autorisée
audit-session-refused = Session refusée
audit-session-refused-by-rule = La règle « jamais » a refusé une session
audit-session-opened = La session s’est ouverte
audit-session-joined = L’appareil a rejoint la session et la laisse durer { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} en tout : ses réglages ne permettent pas plus
audit-session-joined-bare = L’appareil a rejoint la session
audit-session-extension-asked = { $minutes ->
    [one] { $minutes } minute de plus demandée
   *[other] { $minutes } minutes de plus demandées
} pour la session
audit-session-extended = Session prolongée de { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}
audit-session-extended-on-device = L’appareil laisse durer la session plus longtemps, mais { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} en tout seulement : ses réglages ne permettent pas plus
audit-session-extended-on-device-bare = L’appareil laisse durer la session plus longtemps
audit-session-extension-declined = Prolongation de la session non accordée
audit-session-extension-refused = L’appareil ne laisse pas durer la session plus longtemps : { $reason ->
    [longest] ses réglages ne permettent pas plus
    [off] l’accès à distance est coupé sur l’appareil
    [consent] selon la règle que l’appareil connaît, personne ne peut entrer
    [owner] l’appareil a changé de mains
    [not_open] la session n’y est plus ouverte
    [proof] la clé du client y est épinglée et n’a pas signé de fin plus tardive
   *[grant] il n’accepte pas ce que le serveur a signé
}
audit-session-ended = La session est finie : { $reason ->
    [technician] par le technicien
    [customer] par le client
    [device] par l’arrêt sur l’appareil
    [expired] temps écoulé
    [idle] inactivité
    [revoked] un droit a été retiré
    [relay_lost] connexion perdue
    [never_joined] personne n’est venu
    [device_off] l’accès à distance est coupé sur l’appareil
    [device_consent] selon la règle que l’appareil connaît, personne ne peut entrer
    [device_owner] l’appareil a changé de mains
    [device_services] les réglages de l’appareil ne prévoient rien de ce qui est demandé
    [device_busy] l’appareil ne porte pas plus de sessions
    [device_clock] trop tard selon l’horloge de l’appareil
    [device_fault] l’appareil n’a pas pu l’ouvrir
    [device_proof] la clé du client est épinglée sur l’appareil et ne l’avait pas signée
   *[refused] refus de l’appareil
}
audit-session-allowed-on-device = Quelqu’un a appuyé sur Autoriser sur l’appareil
audit-session-refused-on-device = Quelqu’un a appuyé sur Refuser sur l’appareil
audit-key-offered = A proposé une clé d’accès à l’appareil : { $fingerprint }
audit-key-release-signed = A signé que l’appareil doit oublier sa clé { $fingerprint }
audit-key-pinned = La clé du client a été épinglée sur l’appareil : { $fingerprint }
audit-key-declined = Quelqu’un devant l’appareil n’a pas voulu de la clé { $fingerprint }
audit-key-forgotten = La clé du client a été enlevée de l’appareil { $by ->
    [key] par sa propre déclaration
   *[device] par quelqu’un devant l’appareil
}
audit-session-record-cut-short = Le processus de la session sur l’appareil s’est arrêté sans prévenir ; des connexions ouvertes dans ses derniers instants peuvent manquer ici
audit-flow-opened = { $target } ouvert
audit-flow-refused = { $target } refusé
audit-flow-closed = { $target } fermé
audit-installer-signed-up = { $organisation } s’est inscrit comme installateur
audit-password-set = Nouveau mot de passe défini
audit-program-signed-in = Connexion avec le programme depuis { $network }
audit-recording-key-set = Phrase secrète des enregistrements de terminaux définie
audit-recording-key-replaced = Nouvelle phrase secrète des enregistrements de terminaux définie
audit-recording-taken = L’appareil a envoyé l’enregistrement d’un terminal
audit-recording-opened = Enregistrement d’un terminal revu, pour { $organisation }
audit-recording-deleted = Enregistrement d’un terminal supprimé, vieux de { $days ->
    [one] { $days } jour
   *[other] { $days } jours
}
audit-token-issued = Jeton d’API { $label } créé
audit-token-revoked = Jeton d’API { $label } révoqué
audit-browsers-signed-out = { $browsers ->
    [one] Un autre navigateur déconnecté
   *[other] { $browsers } autres navigateurs déconnectés
}
audit-second-factor-added = A ajouté un second facteur : { $factor ->
    [app] une application d’authentification
   *[passkey] une clé d’accès
}
audit-second-factor-removed = A retiré un second facteur : { $factor ->
    [app] l’application d’authentification
    [all] tout ce qui était en place
   *[passkey] une clé d’accès
}
audit-recovery-codes-made = A fait de nouveaux codes de secours
audit-recovery-code-used = A utilisé un code de secours ; il en reste { $left }
audit-organisation-changed = Données de { $organisation } modifiées
audit-other = { $what }
audit-own-page-asked = Page de l’appareil ouverte
audit-break-glass-agreed = A accepté que l’installateur entre en cas d’urgence sans demander : { $role ->
    [administrator] administrateurs
    [supervisor] administrateurs et superviseurs
   *[technician] tous les techniciens
}
audit-break-glass-withdrawn = N’accepte plus que quelqu’un entre en cas d’urgence sans demander
audit-session-break-glass = Est entré en urgence sans demander (bris de glace) : « { $reason } », vers { $services }
