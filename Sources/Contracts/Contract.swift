/// The robot that a policy controls, and its inputs and outputs. It is part of the base model, so that each number has
/// the same meaning at all sites.
///
/// The consortium chooses the normalisation together with the base model, so no statistics leave a site.
public struct Contract: Equatable, Sendable {
    /// The robot, for example "aloha" or "sawyer".
    public var embodiment: String
    /// Steps per second of the demonstrations; 0 if not specified.
    public var controlHertz: Double
    /// The attribute of a demonstration that contains its instruction; empty if the policy takes no instruction.
    public var instruction: String
    public var action: ActionSpace
    public var state: [StateFeature]
    public var cameras: [Camera]

    public init(
        embodiment: String,
        controlHertz: Double = 0,
        instruction: String,
        action: ActionSpace,
        state: [StateFeature],
        cameras: [Camera]
    ) {
        self.embodiment = embodiment
        self.controlHertz = controlHertz
        self.instruction = instruction
        self.action = action
        self.state = state
        self.cameras = cameras
    }

    /// The number of values in all features of the state together.
    public var stateCount: Int { state.reduce(0) { $0 + $1.count } }
}

/// The dimensions of an action, in order.
public struct ActionSpace: Equatable, Sendable {
    /// A description for people, for example "joint positions" or "end-effector displacement".
    public var space: String
    public var dimensions: [Dimension]

    public struct Dimension: Equatable, Sendable {
        public var name: String
        public var unit: String
        /// The policy predicts (value − mean) / std.
        public var mean: Float
        public var std: Float
        /// The expected range of a demonstration's values.
        public var minimum: Float
        public var maximum: Float

        public init(
            name: String,
            unit: String = "1",
            mean: Float = 0,
            std: Float = 1,
            minimum: Float = -1,
            maximum: Float = 1
        ) {
            self.name = name
            self.unit = unit
            self.mean = mean
            self.std = std
            self.minimum = minimum
            self.maximum = maximum
        }
    }

    public init(space: String, dimensions: [Dimension]) {
        self.space = space
        self.dimensions = dimensions
    }
}

/// Values of the state of the robot or of the scene, stored under one key of a demonstration.
public struct StateFeature: Equatable, Sendable {
    public var key: String
    /// The step that the values are taken from, relative to the current one: 0 is the current step, −1 the one before.
    /// Before the first step, the first step is used.
    public var offset: Int
    public var unit: String
    /// The policy sees (value − mean) / std, clamped to ±``clamp``.
    public var mean: [Float]
    public var std: [Float]

    /// The largest magnitude of a normalised value that the policy sees, in standard deviations.
    public static let clamp: Float = 5

    public init(key: String, offset: Int = 0, unit: String = "1", mean: [Float], std: [Float]) {
        self.key = key
        self.offset = offset
        self.unit = unit
        self.mean = mean
        self.std = std
    }

    public var count: Int { mean.count }
}

/// A camera, whose images are bytes: rows × columns × RGB.
public struct Camera: Equatable, Sendable {
    public var key: String
    /// In pixels. A site's images may be larger by an integer factor; they are reduced by averaging.
    public var height: Int
    public var width: Int

    public init(key: String, height: Int, width: Int) {
        self.key = key
        self.height = height
        self.width = width
    }

    public var byteCount: Int { height * width * 3 }
}
