/// What a file holds of one demonstration, before anything is made of it.
struct RecordedValues {
    /// length × action count.
    let actions: [Float]
    /// Of each feature, length × count.
    let states: [[Float]]
    /// Of each camera, as recorded.
    let images: [[UInt8]]

    /// Says whether two demonstrations are the same: one counts once.
    func content(_ instruction: String) -> UInt64 {
        var print = Fingerprint()
        Array(instruction.utf8).withUnsafeBytes { print.add($0) }
        actions.withUnsafeBytes { print.add($0) }
        for values in states { values.withUnsafeBytes { print.add($0) } }
        for bytes in images { bytes.withUnsafeBytes { print.add($0) } }
        return print.value
    }
}
