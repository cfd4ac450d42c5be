/// A training whose values are no longer finite, or whose loss has become far too large; it has no usable result.
package struct TrainingDivergence: Error, Equatable, Sendable, CustomStringConvertible {
    /// The step in which the divergence was detected, counted from 1.
    package let step: Int
    package let steps: Int
    /// Describes the value that is not finite, or the rise of the loss.
    package let what: String

    package var message: String { "the training diverged in step \(step) of \(steps): \(what)" }
    package var description: String { message }
}
