import Tensors

extension AdapterLayout {
    /// Throws where the native trainer cannot train such an adapter.
    public func checkTrainable() throws {
        guard !modules.isEmpty else { throw ContractError("the adapter's targets name no module of the model") }
        for module in modules where !module.name.hasPrefix("blocks.") && module.name != "head" {
            throw ContractError(
                "the native trainer has no adapter for \(module.name)",
                hint: "targets are qkv, proj, fc1, fc2 and head"
            )
        }
    }
}
