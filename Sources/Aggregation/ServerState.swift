import Tensors

/// What a strategy keeps for each parameter between rounds, as a file.
enum ServerState {
    /// One number a parameter lies as the parameters do; two lie side by side.
    static func layout(of parameters: TensorLayout, slots: Int) -> TensorLayout {
        slots == 1 ? parameters : TensorLayout([("moments", .f32, [parameters.elementCount, slots])])
    }
}
