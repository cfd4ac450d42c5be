#pragma once
#include <cblas.h>
// Declared here because Debian's cblas.h leaves them out on some builds.
char *openblas_get_corename(void);
char *openblas_get_config(void);
void openblas_set_num_threads(int);
