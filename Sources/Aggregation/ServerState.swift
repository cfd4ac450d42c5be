import Tensors

/// The layout of a file with the state that a strategy keeps for each parameter between rounds.
enum ServerState {
    /// One value per parameter has the layout of the parameters; two values are stored side by side.
    static func layout(of parameters: TensorLayout, slots: Int) -> TensorLayout {
        slots == 1 ? parameters.asFloat32 : TensorLayout([("moments", .f32, [parameters.elementCount, slots])])
    }
}
