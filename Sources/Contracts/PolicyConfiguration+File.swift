import Tensors

extension PolicyConfiguration {
    /// Reads the shape of the policy in a model's file; the file's tensors must be those of that shape. Its numbers are
    /// not looked at.
    public init(of file: SafetensorsFile) throws {
        let name = file.name.isEmpty ? "the model" : file.name
        guard let json = file.header[metadata: "config"] else {
            throw ContractError(
                "\(name) has no config in its metadata",
                hint: "the built-in trainer reads the policy's shape from there: kumiai policy init makes such a model"
            )
        }
        do { try self.init(json: json) } catch let error as ContractError {
            throw file.name.isEmpty ? error : ContractError("\(name): \(error.message)", hint: error.hint)
        }
        guard let difference = Self.difference(between: file.layout, and: layout) else { return }
        throw ContractError(
            "the tensors of \(name) are not those of its config: \(difference)",
            hint: "the config in its metadata belongs to another model, or tensors were added, lost or renamed"
        )
    }

    /// The first tensor that is not as the config says; `nil` where all are.
    private static func difference(between found: TensorLayout, and expected: TensorLayout) -> String? {
        guard found != expected else { return nil }
        let tensors = Dictionary(uniqueKeysWithValues: found.tensors.map { ($0.name, $0) })
        for tensor in expected.tensors {
            guard let other = tensors[tensor.name] else { return "\(tensor.name) is missing" }
            guard other.type == tensor.type else {
                return "\(tensor.name) is \(other.type.rawValue), and \(tensor.type.rawValue) is expected"
            }
            guard other.shape == tensor.shape else {
                return "\(tensor.name) has the shape \(other.shape), and \(tensor.shape) is expected"
            }
        }
        let known = Set(expected.tensors.map(\.name))
        if let unknown = found.tensors.first(where: { !known.contains($0.name) }) {
            return "\(unknown.name) is not one of them"
        }
        return "they are in another order"
    }
}
