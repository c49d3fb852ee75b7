"use strict";
/* A run's page: only its colours need a script. */
themeButton(document.getElementById("theme"), () => {});
