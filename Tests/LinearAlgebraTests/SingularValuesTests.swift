import Testing

@testable import LinearAlgebra

@Suite struct SingularValuesTests {
    @Test(arguments: [(7, 4), (4, 7), (5, 5), (1, 3), (3, 1)])
    func theirProductIsTheMatrixAndTheyDescend(rows: Int, columns: Int) throws {
        let matrix = (0..<rows * columns).map { Double(($0 * 7919) % 101) / 50 - 1 }
        let singular = try SingularValues(of: matrix, rows: rows, columns: columns)
        let count = min(rows, columns)
        #expect(singular.values.count == count && singular.values == singular.values.sorted(by: >))
        for row in 0..<rows {
            for column in 0..<columns {
                let sum = (0..<count).reduce(0.0) {
                    $0 + singular.u[row * count + $1] * singular.values[$1] * singular.vt[$1 * columns + column]
                }
                #expect(abs(sum - matrix[row * columns + column]) < 1e-12)
            }
        }
    }
}
