#pragma once
#include <cblas.h>
// Declared here because Debian's cblas.h leaves them out on some builds.
char *openblas_get_corename(void);
char *openblas_get_config(void);
void openblas_set_num_threads(int);
// LAPACK, which libopenblas holds as well; Debian ships no C header for it there.
void dgesdd_(const char *jobz, const blasint *m, const blasint *n, double *a, const blasint *lda, double *s, double *u,
             const blasint *ldu, double *vt, const blasint *ldvt, double *work, const blasint *lwork, blasint *iwork,
             blasint *info);
