/// What a file holds of one demonstration, before anything is made of it.
struct RecordedValues {
    /// length × action count.
    let actions: [Float]
    /// Of each feature, length × count.
    let states: [[Float]]
    /// Of each camera, as recorded.
    let images: [[UInt8]]

    /// Says whether two demonstrations are the same to a policy: one counts once, however its instruction is spelt.
    func content(_ instruction: String) -> UInt64 {
        var print = Fingerprint()
        Array(Tokenizer.words(instruction).joined(separator: " ").utf8).withUnsafeBytes { print.add($0) }
        for values in [actions] + states {
            // -0 is 0.
            values.map { $0 + 0 }.withUnsafeBytes { print.add($0) }
        }
        for bytes in images { bytes.withUnsafeBytes { print.add($0) } }
        return print.value
    }
}
