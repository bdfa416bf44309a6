### Messages montrés une fois après une redirection.

flash-link-sent = Le lien est reparti. Le précédent n’est plus valable.
flash-email-corrected = L’adresse est corrigée et un nouveau lien y part. Le précédent n’est plus valable.
flash-registration-cancelled = L’enregistrement est annulé. Le lien reçu par le client n’est plus valable.
flash-consent-saved = Votre choix est enregistré et vaut dès maintenant.
flash-web-address-saved = L’adresse web est modifiée.
flash-device-released = L’appareil est rendu. Plus personne ne l’atteint par votre compte.
flash-session-allowed = La session est autorisée. Vous pouvez l’arrêter à tout moment.
flash-session-refused = La session est refusée. Le technicien en est informé.
flash-session-stopped = La session est arrêtée.
flash-session-extended = La session est prolongée, autant que les réglages de l’appareil le permettent. Vous pouvez l’arrêter à tout moment.
flash-extension-refused = La session n’est pas prolongée et finit comme prévu. Si le technicien attend votre réponse, il l’a maintenant ; sinon, il la lira dans l’historique.
flash-refused-session-too-long = Cette session a atteint la durée la plus longue permise. Une fois finie, le technicien peut en demander une autre.
flash-refused-session-longest = Les réglages de l’appareil ne laissent pas durer cette session plus longtemps. Une fois finie, le technicien peut en demander une autre.
flash-refused-extension-answered = Quelqu’un a déjà répondu : rien n’a été modifié. La session est ouverte, et vous pouvez l’arrêter à tout moment.
flash-refused-session-over = Cette session était déjà finie : rien n’a été modifié.
flash-email-confirmed = Votre adresse e-mail est confirmée et votre mot de passe défini. Connectez-vous maintenant.
flash-organisation-added = L’entreprise est ajoutée à votre compte. Choisissez-la sous « Vos organisations ».
flash-password-set = Votre mot de passe est défini. Connectez-vous avec celui-ci.
flash-signed-out = Vous êtes déconnecté.
flash-refused-sign-in-first = Connectez-vous d’abord ; vous arriverez ensuite à la page demandée.
flash-data-saved = Vos données sont enregistrées.
flash-device-retired = L’appareil est retiré. Son certificat ne se connecte plus.
flash-dismissed = La clé est refusée.
flash-key-approved = La clé est acceptée. L’appareil recevra son certificat à sa prochaine demande.
flash-device-revoked = Le certificat est repris. L’appareil doit s’enrôler avec une nouvelle clé.
