import Contracts
import Tensors

/// A summary as JSON, in which the reader process passes it to the process that started it.
extension DemonstrationSummary {
    var json: String {
        """
        {"embodiment":\(embodiment?.jsonQuoted ?? "null"),"control_hz":\(controlHertz.map { "\($0)" } ?? "null"),"held_out":\(heldOut),\
        "actions":[\(actions.map(\.json).joined(separator: ","))],"state":[\(state.map(\.json).joined(separator: ","))],\
        "images":[\(images.map(\.json).joined(separator: ","))],\
        "instructions":[\(instructions.map(\.json).joined(separator: ","))],"instruction_count":\(instructionCount),\
        "demonstrations":\(demonstrations),"steps":\(steps),"remarks":[\(remarks.map(\.jsonQuoted).joined(separator: ","))],\
        "problem":\(problem.map { "[\("\($0)".jsonQuoted),\($0.hint.jsonQuoted)]" } ?? "null")}
        """
    }

    /// `nil` if the text is not a summary.
    init?(json text: String) {
        guard let json = try? JSONParser.parse(Array(text.utf8)), let heldOut = json["held_out"]?.integer,
            let count = json["instruction_count"]?.integer, let demonstrations = json["demonstrations"]?.integer,
            let steps = json["steps"]?.integer
        else { return nil }
        self.init()
        func list<Element>(_ name: String, _ make: (JSONValue) -> Element?) -> [Element]? {
            guard let values = json[name]?.array else { return nil }
            let elements = values.compactMap(make)
            return elements.count == values.count ? elements : nil
        }
        guard let actions = list("actions", Dimension.init), let state = list("state", Dimension.init),
            let images = list("images", Images.init),
            let instructions = list("instructions", Instruction.init), let remarks = list("remarks", \.string)
        else { return nil }
        (embodiment, controlHertz) = (json["embodiment"]?.string, json["control_hz"]?.double)
        (self.heldOut, instructionCount, self.demonstrations, self.steps) = (heldOut, count, demonstrations, steps)
        (self.actions, self.state, self.images, self.instructions, self.remarks) = (
            actions, state, images, instructions, remarks
        )
        if let problem = json["problem"]?.array {
            guard problem.count == 2, let message = problem[0].string, let hint = problem[1].string else { return nil }
            self.problem = ContractError(message, hint: hint)
        }
    }
}

extension DemonstrationSummary.Dimension {
    fileprivate var json: String {
        """
        {"name":\(name.jsonQuoted),"unit":\(unit.jsonQuoted),"least":\(least),"largest":\(largest),\
        "contract_least":\(contractLeast),"contract_largest":\(contractLargest),"outside":\(outside)}
        """
    }

    fileprivate init?(json: JSONValue) {
        func number(_ name: String) -> Float? { json[name]?.double.map { Float($0) } }
        guard let name = json["name"]?.string, let unit = json["unit"]?.string, let least = number("least"),
            let largest = number("largest"),
            let contractLeast = number("contract_least"), let contractLargest = number("contract_largest"),
            let outside = json["outside"]?.integer
        else { return nil }
        (self.name, self.unit, self.least, self.largest) = (name, unit, least, largest)
        (self.contractLeast, self.contractLargest, self.outside) = (contractLeast, contractLargest, outside)
    }
}

extension DemonstrationSummary.Images {
    fileprivate var json: String {
        """
        {"camera":\(camera.jsonQuoted),"height":\(height),"width":\(width),"count":\(count),"least":\(least),"largest":\(largest)}
        """
    }

    fileprivate init?(json: JSONValue) {
        guard let camera = json["camera"]?.string, let height = json["height"]?.integer,
            let width = json["width"]?.integer,
            let count = json["count"]?.integer, let least = json["least"]?.integer.flatMap({ UInt8(exactly: $0) }),
            let largest = json["largest"]?.integer.flatMap({ UInt8(exactly: $0) })
        else { return nil }
        (self.camera, self.height, self.width, self.count, self.least, self.largest) = (
            camera, height, width, count, least, largest
        )
    }
}

extension DemonstrationSummary.Instruction {
    fileprivate var json: String {
        "{\"text\":\(text.jsonQuoted),\"demonstrations\":\(demonstrations),\"alike\":\(alike?.jsonQuoted ?? "null")}"
    }

    fileprivate init?(json: JSONValue) {
        guard let text = json["text"]?.string, let demonstrations = json["demonstrations"]?.integer else { return nil }
        (self.text, self.demonstrations, alike) = (text, demonstrations, json["alike"]?.string)
    }
}
