import Tensors

extension AdapterLayout {
    /// Checks that the native trainer can train this adapter.
    ///
    /// - Throws: ``ContractError`` if it has no modules, or a module that the trainer does not support.
    public func checkTrainable() throws {
        guard !modules.isEmpty else { throw ContractError("the adapter's targets match no module of the model") }
        for module in modules where !module.name.hasPrefix("blocks.") && module.name != "head" {
            throw ContractError(
                "the native trainer has no adapter for \(module.name)",
                hint: "possible targets are qkv, proj, fc1, fc2 and head"
            )
        }
    }
}
