import Contracts

/// What was found in demonstrations, beside what the contract says of it.
public struct DemonstrationSummary: Equatable, Sendable {
    /// A number of the action or of the state, over all steps.
    public struct Dimension: Equatable, Sendable {
        /// "gripper", "robot0_eef_pos[2]"
        public var name: String
        public var unit: String
        public var least: Float
        public var largest: Float
        /// The contract's range: an action's minimum and maximum, or a state's mean ± 5 std, beyond which it is
        /// clamped.
        public var contractLeast: Float
        public var contractLargest: Float
        /// Steps whose value lies outside the contract's range.
        public var outside: Int
    }

    /// A camera's images of one size.
    public struct Images: Equatable, Sendable {
        public var camera: String
        /// Pixels, as recorded.
        public var height: Int
        public var width: Int
        public var count: Int
        /// The darkest and the brightest byte.
        public var least: UInt8
        public var largest: UInt8
    }

    public struct Instruction: Equatable, Sendable {
        public var text: String
        public var demonstrations: Int
        /// Another instruction of the same data, in other words that have the same places in the policy's vocabulary.
        public var alike: String?
    }

    /// The robot, where the files or the site's engineer say it.
    public var embodiment: String?
    /// Steps a second, likewise.
    public var controlHertz: Double?
    /// Demonstrations that the data hold out, to see how well the others were learned.
    public var heldOut = 0
    public var actions: [Dimension] = []
    public var state: [Dimension] = []
    public var images: [Images] = []
    /// The most frequent first, at most ``DemonstrationLimits/listedInstructions``.
    public var instructions: [Instruction] = []
    /// Different instructions, listed or not.
    public var instructionCount = 0
    /// Demonstrations that were read, and their steps.
    public var demonstrations = 0
    public var steps = 0
    /// What is odd, and may be right all the same; a line for each.
    public var remarks: [String] = []
    /// What does not fit; `nil`: everything does. A set that does not fit has no samples.
    public var problem: ContractError?

    public init() {}
}
