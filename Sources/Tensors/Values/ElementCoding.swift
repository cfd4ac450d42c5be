import CKernels

/// Conversion of elements from and to float32.
extension ElementType {
    /// Whether models may have weights of this type: float32, bfloat16 and float16.
    public var holdsWeights: Bool {
        switch self {
        case .f32, .bf16, .f16: true
        case .f64, .i64, .i32, .i16, .i8, .u64, .u32, .u16, .u8, .boolean: false
        }
    }

    /// Writes elements as float32, exactly.
    ///
    /// - Parameters:
    ///   - bytes: Whole elements of a type that holds weights.
    ///   - values: As many numbers.
    func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) {
        switch self {
        case .f32: UnsafeMutableRawBufferPointer(values).copyMemory(from: bytes)
        case .bf16:
            bytes.withMemoryRebound(to: UInt16.self) {
                kumiai_expand_bfloat16($0.baseAddress, values.baseAddress, Int64(values.count))
            }
        case .f16:
            bytes.withMemoryRebound(to: UInt16.self) { halves in
                for index in values.indices { values[index] = Float(Float16(bitPattern: halves[index])) }
            }
        default: preconditionFailure("\(rawValue) holds no weights")
        }
    }

    /// Writes float32 numbers as elements of a type that holds weights, rounded to nearest, ties to even. A finite number
    /// above the type's range becomes its largest finite number.
    func encode(_ values: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer) {
        switch self {
        case .f32: bytes.copyMemory(from: UnsafeRawBufferPointer(values))
        case .bf16:
            bytes.withMemoryRebound(to: UInt16.self) {
                kumiai_round_bfloat16(values.baseAddress, $0.baseAddress, Int64(values.count))
            }
        case .f16:
            bytes.withMemoryRebound(to: UInt16.self) { halves in
                for index in values.indices { halves[index] = Self.float16(values[index]) }
            }
        default: preconditionFailure("\(rawValue) holds no weights")
        }
    }

    private static func float16(_ value: Float) -> UInt16 {
        let rounded = Float16(value)
        guard rounded.isInfinite, value.isFinite else { return rounded.bitPattern }
        return (value < 0 ? -Float16.greatestFiniteMagnitude : .greatestFiniteMagnitude).bitPattern
    }
}
