/// A training whose values are no longer finite, or whose loss has become far too large; it has no usable result.
public struct TrainingDivergence: Error, Equatable, Sendable, CustomStringConvertible {
    /// The step in which the divergence was detected, counted from 1.
    public let step: Int
    public let steps: Int
    /// Describes the value that is not finite, or the rise of the loss.
    public let what: String

    public var message: String { "the training diverged in step \(step) of \(steps): \(what)" }
    public var description: String { message }
}
