import COpenBLAS

/// The singular value decomposition of a matrix, U·diag(σ)·Vᵀ with σ descending (LAPACK's dgesdd).
package struct SingularValues: Sendable {
    /// rows × count, row-major.
    package let u: [Double]
    package let values: [Double]
    /// count × columns, row-major.
    package let vt: [Double]

    /// - Parameters:
    ///   - matrix: rows × columns, row-major.
    ///   - rows: The number of rows.
    ///   - columns: The number of columns.
    /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
    package init(of matrix: [Double], rows: Int, columns: Int) throws {
        precondition(matrix.count == rows * columns && rows > 0 && columns > 0)
        let count = min(rows, columns)
        // LAPACK is column-major, so it sees the transpose, and its U is our V.
        var a = matrix
        var (m, n, k) = (blasint(columns), blasint(rows), blasint(count))
        var u = [Double](repeating: 0, count: columns * count), s = [Double](repeating: 0, count: count)
        var vt = [Double](repeating: 0, count: count * rows), indices = [blasint](repeating: 0, count: 8 * count)
        var (info, size) = (blasint(0), blasint(-1))
        var best = 0.0
        var job = CChar(UInt8(ascii: "S"))
        dgesdd_(&job, &m, &n, &a, &m, &s, &u, &m, &vt, &k, &best, &size, &indices, &info)
        size = blasint(best)
        var work = [Double](repeating: 0, count: max(1, Int(size)))
        dgesdd_(&job, &m, &n, &a, &m, &s, &u, &m, &vt, &k, &work, &size, &indices, &info)
        guard info == 0 else {
            throw LinearAlgebraError("the singular values of a \(rows)×\(columns) matrix did not converge")
        }
        values = s
        // Column j of LAPACK's Vᵀ is row j of our U; column i of its U is row i of our Vᵀ.
        self.u = vt
        self.vt = u
    }
}

package struct LinearAlgebraError: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
