### Comptes : liens des courriels, organisation, appareils connectés au compte.

link-refused-unknown = Ce lien est inconnu. Ouvrez-le depuis le dernier courriel reçu, en entier.
link-refused-expired = Ce lien a expiré.
link-refused-used = Ce lien a déjà servi.
link-refused-superseded = Un courriel plus récent remplace ce lien. Ouvrez le plus récent.

my-organisation = Votre organisation
my-organisations = Vos organisations
my-organisation-this = Vous agissez pour elle en ce moment.
my-organisation-switch = Agir pour elle
my-organisation-installs = Installez-vous aussi des appareils chez d’autres ?
my-sign-ins = Où vous êtes connecté
my-browsers = Navigateurs
my-browser-this = Ce navigateur
my-browser-end = Le déconnecter
my-browsers-end = Déconnecter tous les autres navigateurs
my-programs = Programmes
my-programs-none = Aucun programme n’est connecté en votre nom. Avec gatelodge sign-in, un programme vous demande ici votre accord.
my-program-unused = pas encore
my-program-revoke = Le déconnecter
fact-browser = Navigateur
fact-last-seen = Vu pour la dernière fois
fact-last-used = Dernière utilisation
fact-good-until = Valable jusqu’au

flash-sign-in-ended = La connexion est terminée là-bas.

second-factor-title = Second facteur
second-factor-lead = Un mot de passe se devine ou se vole. Avec un second facteur, personne n’entre à votre place sans l’avoir.
second-factor-needed = Avant de pouvoir demander une session, il vous faut un second facteur. Ajoutez ici une clé d’accès ou une application d’authentification.
passkeys-title = Clés d’accès
passkeys-lead = Une clé d’accès vit dans votre téléphone, votre ordinateur ou une clé de sécurité et s’ouvre avec votre doigt, votre visage ou son code. On ne peut pas la donner par erreur, et elle vous connecte sans mot de passe.
passkeys-need-script = Les clés d’accès demandent un navigateur qui les connaît et exécute les scripts. Sinon, utilisez une application d’authentification.
passkey-add-title = Ajouter une clé d’accès
passkey-add = Ajouter une clé d’accès
passkey-rename = Lui donner un autre nom
passkey-name-hint = Pour la reconnaître : « Mon téléphone », « Clé bleue ».
passkey-failed = Cela n’a pas marché. Essayez encore une fois ou d’une autre façon.
passkey-use = Utiliser une clé d’accès
passkey-sign-in = Se connecter avec une clé d’accès
field-passkey-name = Nom de la clé d’accès
fact-added = Ajoutée
factor-remove = Retirer
app-title = Application d’authentification
app-lead = Une application sur votre téléphone montre un code de six chiffres qui change toutes les trente secondes.
app-here = Votre application d’authentification
app-add = Configurer une application
app-replace = Configurer une autre application
app-add-title = Configurer une application d’authentification
app-scan = Scannez ce carré avec l’application de votre téléphone.
app-square = Code carré pour l’application d’authentification
app-type = Ou tapez cette clé dans l’application :
app-code-hint = Les six chiffres que l’application montre maintenant.
app-confirm = Terminer
field-app-code = Code de l’application
recovery-title = Codes de secours
recovery-left = { $left ->
    [0] Il ne reste aucun code de secours. Faites-en de nouveaux, pour entrer le jour où téléphone et clés sont perdus.
    [one] Il reste un code de secours. Faites-en bientôt de nouveaux.
   *[other] Il reste { $left } codes de secours. Chacun vous laisse entrer une fois, quand téléphone et clés sont perdus.
}
recovery-make = Faire de nouveaux codes de secours
recovery-keep = Gardez ces codes de secours
recovery-what = Chacun de ces codes vous laisse entrer une fois, quand votre téléphone et vos clés sont perdus. Imprimez-les ou gardez-les avec vos mots de passe.
recovery-once = Ils ne sont montrés que cette fois. Les codes d’avant ne valent plus.
recovery-kept = Je les ai gardés
second-step-title = Seconde étape
second-step-app = Tapez le code que montre votre application d’authentification, ou utilisez une clé d’accès ou un code de secours.
second-step-passkey = Utilisez votre clé d’accès ou l’un de vos codes de secours.
second-step-lost = Tout perdu ? Qui tient ce portail peut retirer votre second facteur.
field-code = Code
code-hint = Six chiffres de l’application, ou un code de secours.
field-recovery-code = Code de secours
recovery-code-hint = Seize lettres et chiffres.
confirm-self-title = Est-ce toujours vous ?
confirm-self-what = Montrez encore une fois qui vous êtes, puis vous revenez où vous étiez.
confirm-self-button = Continuer
refused-password-wrong = Ce n’est pas votre mot de passe.
refused-app-code = Ce code ne convient pas. Tapez celui que l’application montre maintenant ; s’il ne convient jamais, réglez l’heure du téléphone sur automatique.
refused-second-factor-code = Ce code ne convient pas. Attendez le prochain de l’application et tapez-le, ou utilisez un code de secours qui reste.
refused-second-factor-stale = Cela a duré trop longtemps ou est déjà fait. Recommencez.
refused-passkey = Cette clé d’accès n’a pas été acceptée. Essayez encore une fois ou d’une autre façon.
refused-passkey-known = Cette clé d’accès est déjà connue ici.
refused-passkeys-many = Un compte a { $most } clés d’accès au plus. Retirez-en une d’abord.
refused-passkey-no-name = Les clés d’accès demandent un portail avec un nom d’hôte. Demandez à qui le tient.
refused-second-factor-unknown = Ce second facteur n’existe pas dans votre compte.
refused-second-factor-wait = Trop d’essais. Attendez { $seconds } secondes, puis réessayez.
flash-factor-removed = Retiré. Un courriel vous le dit.
flash-factor-added = Ajouté. Un courriel vous le dit.
flash-passkey-renamed = La clé d’accès a son nouveau nom.
flash-confirmed = Merci, c’était bien vous.
flash-refused-second-step-stale = Cela a duré trop longtemps. Connectez-vous à nouveau.
