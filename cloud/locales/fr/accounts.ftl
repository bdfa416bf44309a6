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
