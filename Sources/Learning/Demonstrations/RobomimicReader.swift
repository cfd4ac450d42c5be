import Dispatch

/// Reads robomimic HDF5: `/data/demo_i` with `actions` and `obs/<key>`, `/mask/train` and `/mask/valid`.
public enum RobomimicReader {
    public enum Split: String, Sendable { case train, valid }

    public static let maximumDemonstrations = 100_000
    public static let maximumSteps = 1_000_000
    /// Images are kept in memory: at most this many bytes a file.
    public static let maximumBytes = 8 << 30

    /// libhdf5 as Debian builds it is not thread-safe.
    private static let queue = DispatchQueue(label: "kumiai.hdf5")

    /// Reads the demonstrations of a split, checked against what the policy wants.
    public static func read(_ path: String, split: Split, for configuration: PolicyConfiguration) throws -> DemonstrationSet {
        try queue.sync { try readAll(HDF5File(path: path), split, configuration) }
    }

    private static func readAll(_ file: HDF5File, _ split: Split, _ configuration: PolicyConfiguration) throws -> DemonstrationSet {
        let mask = "/mask/\(split.rawValue)"
        guard file.exists(mask) else {
            throw LearningError("\(file.path): \(mask) is missing", hint: "it lists the names of the demonstrations to use, for example demo_0")
        }
        var set = DemonstrationSet(configuration)
        var bytes = 0
        for name in try file.strings(mask, atMost: maximumDemonstrations) {
            let demonstration = try demonstration(name, in: file, configuration)
            bytes += demonstration.images.count + 4 * (demonstration.states.count + demonstration.actions.count)
            guard bytes <= maximumBytes else { throw LearningError("\(file.path): more than \(maximumBytes) bytes of demonstrations") }
            set.append(demonstration)
        }
        guard set.count > 0 else { throw LearningError("\(file.path): \(mask) names no demonstrations") }
        return set
    }

    private static func demonstration(_ name: String, in file: HDF5File, _ c: PolicyConfiguration) throws -> Demonstration {
        guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
            throw LearningError("\(file.path): \"\(name.prefix(64))\" is no name of a demonstration")
        }
        let group = "/data/\(name)"
        let actionShape = try file.shape("\(group)/actions")
        guard actionShape.count == 2, (1...maximumSteps).contains(actionShape[0]), actionShape[1] == c.actionCount else {
            throw LearningError(
                "\(file.path): \(group)/actions has the shape \(actionShape)",
                hint: "the policy wants (steps, \(c.actionCount)), at most \(maximumSteps) steps")
        }
        let length = actionShape[0]
        return Demonstration(
            task: (try? file.attribute("task", of: group)) ?? "unnamed",
            instruction: try file.attribute("language_instruction", of: group), length: length,
            states: try states(group, in: file, length, c),
            images: c.usesImage ? try file.bytes("\(group)/obs/agentview_image", shape: [length, c.imageSide, c.imageSide, 3]) : [],
            actions: try file.float32s("\(group)/actions", shape: actionShape))
    }

    /// current | previous | goal (39 numbers), or the hand and gripper alone (4).
    private static func states(_ group: String, in file: HDF5File, _ length: Int, _ c: PolicyConfiguration) throws -> [Float] {
        let hand = try file.float32s("\(group)/obs/robot0_eef_pos", shape: [length, 3])
        let gripper = try file.float32s("\(group)/obs/robot0_gripper_qpos", shape: [length, 1])
        func handAndGripper(_ step: Int) -> [Float] { Array(hand[step * 3..<step * 3 + 3]) + [gripper[step]] }
        var values: [Float] = []
        if c.observation == .image {
            values = (0..<length).flatMap(handAndGripper)
        } else {
            let object = try file.float32s("\(group)/obs/object", shape: [length, 14])
            let goal = try file.float32s("\(group)/obs/goal", shape: [length, 3])
            func current(_ step: Int) -> [Float] { handAndGripper(step) + object[step * 14..<step * 14 + 14] }
            for step in 0..<length { values += current(step) + current(max(0, step - 1)) + goal[step * 3..<step * 3 + 3] }
        }
        guard values.allSatisfy(\.isFinite) else { throw LearningError("\(file.path): \(group)/obs has values that are not finite") }
        StateNormalisation.apply(&values, count: c.stateCount)
        return values
    }
}
