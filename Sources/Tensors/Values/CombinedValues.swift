/// The element-wise sum or difference of two sources of equal length, in float32.
package struct CombinedValues: ValueSource {
    package enum Operation: Sendable { case sum, difference }

    private let operation: Operation
    private let first: any ValueSource
    private let second: any ValueSource

    package init(_ operation: Operation, _ first: any ValueSource, _ second: any ValueSource) {
        precondition(first.elementCount == second.elementCount)
        self.operation = operation
        self.first = first
        self.second = second
    }

    package var elementCount: Int { first.elementCount }

    package func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) throws {
        try first.read(values, from: start)
        try withUnsafeTemporaryAllocation(of: Float.self, capacity: values.count) { other in
            other.initialize(repeating: 0)
            try second.read(other, from: start)
            switch operation {
            case .sum: for index in values.indices { values[index] += other[index] }
            case .difference: for index in values.indices { values[index] -= other[index] }
            }
        }
    }
}
