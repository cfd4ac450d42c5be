import COpenBLAS

/// OpenBLAS with one thread per call: parallelism is over the batch, where it scales better than inside small products.
package enum BLAS {
    /// Limits OpenBLAS to one thread. Call before the first product.
    package static func useOneThread() { openblas_set_num_threads(1) }

    /// Computes c (m×n) = scale·a·b, or c += scale·a·b if `adding`, row-major. `a` is m×k, or k×m if transposed; `b` is
    /// k×n, or n×k if transposed.
    package static func multiply(
        _ a: UnsafePointer<Float>,
        _ lda: Int,
        aTransposed ta: Bool = false,
        _ b: UnsafePointer<Float>,
        _ ldb: Int,
        bTransposed tb: Bool = false,
        into c: UnsafeMutablePointer<Float>,
        _ ldc: Int,
        m: Int,
        n: Int,
        k: Int,
        scale: Float = 1,
        adding: Bool = false
    ) {
        cblas_sgemm(
            CblasRowMajor,
            ta ? CblasTrans : CblasNoTrans,
            tb ? CblasTrans : CblasNoTrans,
            blasint(m),
            blasint(n),
            blasint(k),
            scale,
            a,
            blasint(lda),
            b,
            blasint(ldb),
            adding ? 1 : 0,
            c,
            blasint(ldc)
        )
    }
}
