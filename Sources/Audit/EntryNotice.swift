import Federation

extension Entry {
    /// The notice that every audit shows for an entry that changes the meaning of others; `nil` for other entries.
    var notice: String? {
        switch body {
        case .lossDeclared(let loss):
            "\(loss.declaredBy) declares that of an earlier history, which had \(loss.lostEntries) entries, at "
                + "most the first \(loss.keptEntries) are in this ledger, and the others were lost: \(loss.reason)"
        case .authorityRotated(let rotation):
            "\(rotation.rotatedBy) changed the CA to the one with SHA-256 \(rotation.authorityDigest.hex)"
        case .clockCorrected(let correction):
            "\(correction.correctedBy) recorded that the clock was ahead: \(correction.reason)"
        default: nil
        }
    }
}

extension LossDeclaration {
    /// The number of lost entries: the second line of a tree head is its size.
    fileprivate var lostEntries: String {
        lostTreeHead.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().first.map(String.init) ?? "?"
    }
}
