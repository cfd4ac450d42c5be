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

    /// Creates a contract. The values are not checked.
    ///
    /// - Parameters:
    ///   - embodiment: The robot, for example "aloha" or "sawyer".
    ///   - controlHertz: Steps per second of the demonstrations; 0 if not specified.
    ///   - instruction: The attribute of a demonstration that contains its instruction; empty if the policy takes none.
    ///   - action: The dimensions of an action.
    ///   - state: The features of the state, in the order of the policy's input; empty if the policy sees no state.
    ///   - cameras: The cameras, in the order of the policy's input; empty if the policy sees no images.
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

        /// Creates a dimension. Its defaults are those of a value from −1 to 1 that is not normalised.
        ///
        /// - Parameters:
        ///   - name: The dimension's name.
        ///   - unit: The unit of its values; "1" if they have none.
        ///   - mean: What is subtracted from a value, in `unit`.
        ///   - std: What the difference is divided by, in `unit`.
        ///   - minimum: The smallest expected value of a demonstration, in `unit`.
        ///   - maximum: The largest expected value of a demonstration, in `unit`.
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

    /// Creates an action space.
    ///
    /// - Parameters:
    ///   - space: A description for people, for example "joint positions".
    ///   - dimensions: The dimensions, in the order of an action's values.
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

    /// Creates a feature with as many values as `mean` has.
    ///
    /// - Parameters:
    ///   - key: The key of the values in a demonstration.
    ///   - offset: The step that the values are taken from, relative to the current one; −1 is the step before.
    ///   - unit: The unit of the values; "1" if they have none.
    ///   - mean: What is subtracted from each value, in `unit`.
    ///   - std: What each difference is divided by, in `unit`; as many numbers as in `mean`.
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

    /// Creates a camera.
    ///
    /// - Parameters:
    ///   - key: The key of the images in a demonstration.
    ///   - height: The height of the policy's images, in pixels.
    ///   - width: The width of the policy's images, in pixels.
    public init(key: String, height: Int, width: Int) {
        self.key = key
        self.height = height
        self.width = width
    }

    public var byteCount: Int { height * width * 3 }
}
