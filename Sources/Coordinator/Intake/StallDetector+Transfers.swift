import Transport

extension StallDetector {
    /// - Parameter what: What is waited for, in the error.
    static func ofTransfer(_ what: String) -> StallDetector {
        let seconds = CoordinatorLimits.stalledSeconds
        return StallDetector(seconds: seconds) { TransportError(.timeout, "\(what) took longer than \(seconds) s") }
    }
}
