/// The values of one demonstration as recorded, before normalisation.
struct RecordedValues {
    /// length × action count.
    let actions: [Float]
    /// For each feature: length × count.
    let states: [[Float]]
    /// For each camera: its images as recorded.
    let images: [[UInt8]]

    /// Returns a fingerprint that is equal for demonstrations that are the same to the policy, even if their
    /// instructions are spelt differently.
    func content(_ instruction: String) -> UInt64 {
        var print = Fingerprint()
        Array(Tokenizer.words(instruction).joined(separator: " ").utf8).withUnsafeBytes { print.add($0) }
        for values in [actions] + states {
            // Adding 0 makes −0 equal to 0.
            values.map { $0 + 0 }.withUnsafeBytes { print.add($0) }
        }
        for bytes in images { bytes.withUnsafeBytes { print.add($0) } }
        return print.value
    }
}
