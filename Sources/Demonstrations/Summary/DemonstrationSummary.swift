import Contracts

/// The contents of demonstrations, compared with the contract.
public struct DemonstrationSummary: Equatable, Sendable {
    /// One dimension of the action or of the state, over all steps.
    public struct Dimension: Equatable, Sendable {
        /// For example "gripper" or "robot0_eef_pos[2]".
        public var name: String
        public var unit: String
        public var least: Float
        public var largest: Float
        /// The contract's range: an action's minimum and maximum, or a state's mean ± 5 std, to which the value is
        /// clamped.
        public var contractLeast: Float
        public var contractLargest: Float
        /// The number of steps with a value outside the contract's range.
        public var outside: Int
    }

    /// The images of one camera that have one size.
    public struct Images: Equatable, Sendable {
        public var camera: String
        /// In pixels, as recorded.
        public var height: Int
        public var width: Int
        public var count: Int
        /// The smallest and the largest byte.
        public var least: UInt8
        public var largest: UInt8
    }

    public struct Instruction: Equatable, Sendable {
        public var text: String
        public var demonstrations: Int
        /// Another instruction of the same data that the policy cannot distinguish: its words have the same ids.
        public var alike: String?
    }

    /// The robot, if the files or the site's engineer name it.
    public var embodiment: String?
    /// Steps per second, if the files or the site's engineer give them.
    public var controlHertz: Double?
    /// The number of demonstrations that are held out for validation.
    public var heldOut = 0
    public var actions: [Dimension] = []
    public var state: [Dimension] = []
    public var images: [Images] = []
    /// The most frequent first, at most ``DemonstrationLimits/listedInstructions``.
    public var instructions: [Instruction] = []
    /// The number of different instructions, including those that are not listed.
    public var instructionCount = 0
    /// The numbers of demonstrations that were read, and of their steps.
    public var demonstrations = 0
    public var steps = 0
    /// Unusual things that may still be correct; one line for each kind.
    public var remarks: [String] = []
    /// Describes what does not fit; `nil` if everything fits. A set that does not fit has no samples.
    public var problem: ContractError?

    public init() {}
}
