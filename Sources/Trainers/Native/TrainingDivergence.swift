/// A training that left the numbers: what came of it is no model.
public struct TrainingDivergence: Error, Equatable, Sendable, CustomStringConvertible {
    /// The step in which it was seen, from 1.
    public let step: Int
    public let steps: Int
    /// What is not finite, or has grown out of all proportion.
    public let what: String

    public var message: String { "the training diverged in step \(step) of \(steps): \(what)" }
    public var description: String { message }
}
