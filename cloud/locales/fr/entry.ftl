### Les pages avant la connexion.

field-email = Adresse e-mail
field-password = Mot de passe

sign-in-title = Connexion
sign-in-lead = À vos appareils et à vos sessions.
sign-in-button = Se connecter
sign-in-forgotten = Mot de passe oublié
sign-in-installer = Vous installez des appareils et n’avez pas encore de compte ?
sign-in-sign-up = S’inscrire comme installateur
sign-in-refused = L’adresse e-mail et le mot de passe ne vont pas ensemble. Vérifiez les deux ou demandez un nouveau mot de passe.
