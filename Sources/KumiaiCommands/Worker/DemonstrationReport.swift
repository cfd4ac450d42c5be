import Demonstrations

/// A report on one split of a site's demonstrations, as JSON and as tables.
struct DemonstrationReport: Encodable {
    let demonstrations: Int
    let steps: Int
    /// Steps per second and the robot, if the data or the engineer state them.
    let controlHz: Double?
    let embodiment: String?
    let actions: [Dimension]
    let state: [Dimension]
    let images: [Images]
    let instructions: [Instruction]
    /// The number of different instructions; the most frequent ones are listed.
    let instructionCount: Int
    /// Notes on data that are odd but may be right.
    let remarks: [String]
    let contract: ContractSide

    struct Dimension: Encodable {
        let name: String
        let unit: String
        let least: Float
        let largest: Float
        let contractLeast: Float
        let contractLargest: Float
        let outside: Int
    }

    struct Images: Encodable {
        let camera: String
        let height: Int
        let width: Int
        let contractHeight: Int
        let contractWidth: Int
        let count: Int
        let least: UInt8
        let largest: UInt8
    }

    struct Instruction: Encodable {
        let text: String
        let demonstrations: Int
        /// Another instruction that the policy cannot distinguish from this one.
        let alike: String?
    }

    struct ContractSide: Encodable {
        let controlHz: Double?
        let embodiment: String
    }

    init(_ set: DemonstrationSet) {
        let (summary, contract) = (set.summary, set.configuration.contract)
        (demonstrations, steps, remarks) = (summary.demonstrations, summary.steps, summary.remarks)
        (controlHz, embodiment) = (summary.controlHertz, summary.embodiment)
        actions = summary.actions.map(Dimension.init)
        state = summary.state.map(Dimension.init)
        images = summary.images.map { images in
            let camera = contract.cameras.first { $0.key == images.camera }
            return Images(
                camera: images.camera,
                height: images.height,
                width: images.width,
                contractHeight: camera?.height ?? 0,
                contractWidth: camera?.width ?? 0,
                count: images.count,
                least: images.least,
                largest: images.largest
            )
        }
        instructions = summary.instructions.map {
            Instruction(text: $0.text, demonstrations: $0.demonstrations, alike: $0.alike)
        }
        instructionCount = summary.instructionCount
        self.contract = ContractSide(
            controlHz: contract.controlHertz > 0 ? contract.controlHertz : nil,
            embodiment: contract.embodiment
        )
    }
}

extension DemonstrationReport.Dimension {
    init(_ found: DemonstrationSummary.Dimension) {
        self.init(
            name: found.name,
            unit: found.unit,
            least: found.least,
            largest: found.largest,
            contractLeast: found.contractLeast,
            contractLargest: found.contractLargest,
            outside: found.outside
        )
    }
}

extension DemonstrationReport {
    /// The most rows of the state in a table; `--json` has all of them.
    private static let stateRows = 64

    func print(_ title: String) {
        Terminal.print()
        Terminal.print(Terminal.styled(title, .bold))
        printOverview()
        print("action", actions)
        print("state", Array(state.prefix(Self.stateRows)))
        if state.count > Self.stateRows {
            Terminal.print("and \(state.count - Self.stateRows) more rows; --json prints all of them")
        }
        printImages()
        printInstructions()
        if !remarks.isEmpty { Terminal.print() }
        for remark in remarks { Terminal.print("note: \(remark)") }
    }

    private func printOverview() {
        var table = Table([("", .left), ("found", .left), ("contract", .left)])
        table.append(["demonstrations", "\(demonstrations)", ""])
        table.append(["steps", "\(steps)", ""])
        table.append([
            "steps per second", controlHz.map { "\($0)" } ?? "unknown",
            contract.controlHz.map { "\($0)" } ?? "not specified",
        ])
        table.append(["robot", embodiment ?? "unknown", contract.embodiment])
        table.print()
    }

    private func print(_ title: String, _ dimensions: [Dimension]) {
        guard !dimensions.isEmpty else { return }
        var table = Table([
            (title, .left), ("unit", .left), ("least", .right), ("largest", .right), ("contract from", .right),
            ("to", .right),
            ("outside", .right),
        ])
        for found in dimensions {
            table.append([
                found.name, found.unit, "\(found.least)", "\(found.largest)", "\(found.contractLeast)",
                "\(found.contractLargest)",
                found.outside == 0 ? "0" : "\(found.outside) of \(steps)",
            ])
        }
        Terminal.print()
        table.print()
    }

    private func printImages() {
        guard !images.isEmpty else { return }
        var table = Table([
            ("camera", .left), ("images", .right), ("size", .left), ("contract", .left), ("values", .left),
        ])
        for found in images {
            table.append([
                found.camera, "\(found.count)", "\(found.height) × \(found.width)",
                "\(found.contractHeight) × \(found.contractWidth)",
                "\(found.least) to \(found.largest)",
            ])
        }
        Terminal.print()
        table.print()
    }

    private func printInstructions() {
        guard !instructions.isEmpty else { return }
        var table = Table([("instruction", .left), ("demonstrations", .right), ("", .left)])
        for found in instructions {
            table.append([
                found.text, "\(found.demonstrations)", found.alike.map { "the same to the policy as: \($0)" } ?? "",
            ])
        }
        Terminal.print()
        table.print()
        if instructionCount > instructions.count {
            Terminal.print("and \(instructionCount - instructions.count) more instructions")
        }
    }
}
