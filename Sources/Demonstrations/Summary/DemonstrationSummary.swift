import Contracts

/// The contents of demonstrations, compared with the contract.
package struct DemonstrationSummary: Equatable, Sendable {
    /// One dimension of the action or of the state, over all steps.
    package struct Dimension: Equatable, Sendable {
        /// For example "gripper" or "robot0_eef_pos[2]".
        package var name: String
        package var unit: String
        package var least: Float
        package var largest: Float
        /// The contract's range: an action's minimum and maximum, or a state's mean ± 5 std, to which the value is
        /// clamped.
        package var contractLeast: Float
        package var contractLargest: Float
        /// The number of steps with a value outside the contract's range.
        package var outside: Int
    }

    /// The images of one camera that have one size.
    package struct Images: Equatable, Sendable {
        package var camera: String
        /// In pixels, as recorded.
        package var height: Int
        package var width: Int
        package var count: Int
        /// The smallest and the largest byte.
        package var least: UInt8
        package var largest: UInt8
    }

    package struct Instruction: Equatable, Sendable {
        package var text: String
        package var demonstrations: Int
        /// Another instruction of the same data that the policy cannot distinguish: its words have the same ids.
        package var alike: String?
    }

    /// The robot, if the files or the site's engineer name it.
    package var embodiment: String?
    /// Steps per second, if the files or the site's engineer give them.
    package var controlHertz: Double?
    /// The number of demonstrations that are held out for validation.
    package var heldOut = 0
    package var actions: [Dimension] = []
    package var state: [Dimension] = []
    package var images: [Images] = []
    /// The most frequent first, at most ``DemonstrationLimits/listedInstructions``.
    package var instructions: [Instruction] = []
    /// The number of different instructions, including those that are not listed.
    package var instructionCount = 0
    /// The numbers of demonstrations that were read, and of their steps.
    package var demonstrations = 0
    package var steps = 0
    /// Unusual things that may still be correct; one line for each kind.
    package var remarks: [String] = []
    /// Describes what does not fit; `nil` if everything fits. A set that does not fit has no samples.
    package var problem: ContractError?

    package init() {}
}
