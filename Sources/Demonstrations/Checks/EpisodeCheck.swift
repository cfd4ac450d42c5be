import Contracts

/// Checks that a demonstration has what the contract expects. One error describes everything that does not fit, so that
/// the site's engineer can fix all of it at once.
struct EpisodeCheck {
    private let episode: Episode
    private let c: PolicyConfiguration
    private let declared: DemonstrationFiles.Declaration

    struct Outcome {
        let length: Int
        /// `nil` if the policy takes no instruction.
        let instruction: String?
    }

    init(_ episode: Episode, _ configuration: PolicyConfiguration, _ declared: DemonstrationFiles.Declaration) {
        self.episode = episode
        c = configuration
        self.declared = declared
    }

    private var contract: Contract { c.contract }

    /// Checks the demonstration.
    ///
    /// - Parameter fileProblems: Problems of the file; they become part of the error.
    /// - Throws: `ContractError` if there is any problem.
    func run(_ fileProblems: [String]) throws -> Outcome {
        var problems = fileProblems
        let length = actionLength(&problems)
        for feature in contract.state { problems += problem(feature, length) }
        for camera in contract.cameras { problems += problem(camera, length) }
        problems += ownProblems(length)
        let instruction = instruction(&problems)
        guard problems.isEmpty, let length else { throw episode.wrong(problems) }
        return Outcome(length: length, instruction: instruction)
    }

    // MARK: Shapes and types

    private func actionLength(_ problems: inout [String]) -> Int? {
        guard let shape = shape(episode.actions, &problems) else { return nil }
        guard shape.count == 2, shape[0] <= DemonstrationLimits.steps else {
            problems.append(
                """
                \(episode.actions) has the shape \(shape); expected (steps, \(c.actionCount)) with 1 to \
                \(DemonstrationLimits.steps) steps
                """
            )
            return nil
        }
        guard shape[0] > 0 else {
            problems.append(
                """
                \(episode.actions) has the shape \(shape): the demonstration is empty; remove it from the mask or the \
                directory
                """
            )
            return nil
        }
        if shape[1] != c.actionCount {
            let names = contract.action.dimensions.map(\.name).joined(separator: ", ")
            problems.append(
                "\(episode.actions) has the shape \(shape); an action of the contract has \(c.actionCount) numbers: "
                    + names
            )
        }
        problems += floatProblem(episode.actions)
        return shape[0]
    }

    private func problem(_ feature: StateFeature, _ length: Int?) -> [String] {
        let name = episode.state(feature.key)
        var problems: [String] = []
        guard let shape = shape(name, &problems) else { return problems }
        let steps = length ?? shape.first ?? 0
        guard shape == [steps, feature.count] else {
            return ["\(name) has the shape \(shape); expected [\(steps), \(feature.count)] (\(feature.unit))"]
        }
        return floatProblem(name)
    }

    private func problem(_ camera: Camera, _ length: Int?) -> [String] {
        let name = episode.images(camera.key)
        var problems: [String] = []
        guard let shape = shape(name, &problems) else { return problems }
        if shape.count == 2 {
            return ["\(name) contains compressed images, which are not supported: write them as bytes"]
        }
        let steps = length ?? shape.first ?? 0
        if shape.count != 4 || shape[0] != steps || shape[3] != 3 || Self.shrink(shape, camera) == nil {
            problems.append(
                """
                \(name) has the shape \(shape); expected [\(steps), \(camera.height), \(camera.width), 3] or a whole \
                multiple
                """
            )
        }
        return problems + byteProblem(name)
    }

    /// Checks the demonstration's own attributes, if its file can contain several demonstrations with different ones.
    private func ownProblems(_ length: Int?) -> [String] {
        guard episode.object != "/" else { return [] }
        var problems: [String] = []
        if let robot = attempt(&problems, { try episode.attribute("embodiment") }) ?? nil, !robot.isEmpty,
            robot != contract.embodiment
        {
            problems.append("its embodiment is \(robot), but the contract is for \(contract.embodiment)")
        }
        if let count = attempt(&problems, { try episode.file.count("num_samples", of: episode.object) }) ?? nil,
            let length, count != length
        {
            problems.append("num_samples is \(count), but its actions have \(length) steps")
        }
        return problems
    }

    /// Reads a shape; if it cannot be read, returns `nil` and adds the reason to the problems.
    private func shape(_ name: String, _ problems: inout [String]) -> [Int]? {
        attempt(&problems) { try episode.file.shape(name) }
    }

    private func floatProblem(_ name: String) -> [String] {
        var problems: [String] = []
        guard let type = attempt(&problems, { try episode.file.type(name) }), type.kind != .float else {
            return problems
        }
        return ["\(name) contains \(type); expected floating-point numbers"]
    }

    private func byteProblem(_ name: String) -> [String] {
        var problems: [String] = []
        guard let type = attempt(&problems, { try episode.file.type(name) }), !type.isByte else { return problems }
        let range = episode.file.extremes(name).map { " with values from \($0.least) to \($0.largest)" } ?? ""
        return [
            "\(name) contains \(type)\(range); expected uint8 from 0 to 255: convert the images; divide 16 bits by 257"
        ]
    }

    /// Calls `body`; if it throws, returns `nil` and adds the error to the problems.
    private func attempt<R>(_ problems: inout [String], _ body: () throws -> R) -> R? {
        do { return try body() } catch {
            let hint = (error as? ContractError)?.hint ?? ""
            problems.append(
                "\(error)".replacing("\(episode.file.path): ", with: "") + (hint.isEmpty ? "" : " (\(hint))")
            )
            return nil
        }
    }

    private static let largestShrink = 64

    /// Returns the factor by which the images are larger than the contract's in both directions; `nil` if there is no
    /// such integer factor.
    static func shrink(_ shape: [Int], _ camera: Camera) -> Int? {
        let factor = shape[1] / camera.height
        return (1...largestShrink).contains(factor) && shape[1] == factor * camera.height
            && shape[2] == factor * camera.width
            ? factor : nil
    }

    // MARK: The instruction

    private func instruction(_ problems: inout [String]) -> String? {
        guard c.words > 0 else { return nil }
        let count = problems.count
        let own = attempt(&problems) { try episode.attribute(contract.instruction) } ?? nil
        guard problems.count == count else { return nil }
        let text = own.flatMap { $0.isEmpty ? nil : $0 } ?? declared.instruction
        guard !text.isEmpty else {
            problems.append(
                "the attribute \(contract.instruction) is missing, and the site declares no instruction"
            )
            return nil
        }
        if let problem = Tokenizer.problem(text, count: c.words) { problems.append(problem) }
        return text
    }
}

extension Episode {
    func wrong(
        _ problems: [String],
        hint: String =
            "kumiai policy show MODEL shows the contract of the base model: its observations and actions"
    ) -> ContractError {
        ContractError("\(file.path), \(name): \(problems.joined(separator: "; "))", hint: hint)
    }
}
