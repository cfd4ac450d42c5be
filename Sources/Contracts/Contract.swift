/// What a policy is for and what it is fed: part of the base model, so that all sites mean the same by a number.
///
/// The normalisation is the consortium's, decided with the base model: no statistics leave a site.
public struct Contract: Equatable, Sendable {
    /// The robot, for example "aloha" or "sawyer".
    public var embodiment: String
    /// Steps a second of the demonstrations; 0: not said.
    public var controlHertz: Double
    /// The attribute of a demonstration that holds its instruction; empty: the policy takes none.
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

    /// Numbers of the state's features together.
    public var stateCount: Int { state.reduce(0) { $0 + $1.count } }
}

/// The numbers of an action, in order.
public struct ActionSpace: Equatable, Sendable {
    /// For people: "joint positions", "end-effector displacement".
    public var space: String
    public var dimensions: [Dimension]

    public struct Dimension: Equatable, Sendable {
        public var name: String
        public var unit: String
        /// The policy predicts (value − mean) / std.
        public var mean: Float
        public var std: Float
        /// What a demonstration's values lie within.
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

/// Some numbers of the robot's or the scene's state, under one key of a demonstration.
public struct StateFeature: Equatable, Sendable {
    public var key: String
    /// 0: of this step; −1: of the one before it, which at the first step is the first.
    public var offset: Int
    public var unit: String
    /// The policy sees (value − mean) / std, clamped to ±``clamp``.
    public var mean: [Float]
    public var std: [Float]

    /// Standard deviations of normalised values that the policy sees at most.
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

/// A camera: images of bytes, rows × columns × RGB.
public struct Camera: Equatable, Sendable {
    public var key: String
    /// Pixels. A site's images may be a whole multiple of this; they are averaged down.
    public var height: Int
    public var width: Int

    public init(key: String, height: Int, width: Int) {
        self.key = key
        self.height = height
        self.width = width
    }

    public var byteCount: Int { height * width * 3 }
}
