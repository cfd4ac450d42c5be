import CKernels
import LinearAlgebra

/// The forward pass of the transformer.
extension Pass {
    /// Computes the predicted actions (velocities for flow matching), B×C×A, in `space.output`.
    func forward() {
        embed()
        for layer in 0..<c.layers { forwardLayer(layer) }
        let d = c.width
        kumiai_layer_norm(
            space.xq,
            w + o.norm.weight,
            w + o.norm.bias,
            space.h,
            space.normalised,
            space.rstd,
            Int64(queryRows),
            Int64(d)
        )
        linear(space.h, d, o.head, into: space.output, rows: queryRows, outputs: c.actionCount)
    }

    // MARK: Layers

    private func forwardLayer(_ index: Int) {
        let layer = space.layers[index], block = o.blocks[index]
        let d = c.width, f = c.feedForward
        let last = isLast(index)
        let queries = last ? queryRows : rows
        kumiai_layer_norm(
            space.x,
            w + block.norm1.weight,
            w + block.norm1.bias,
            layer.h1,
            layer.normalised1,
            layer.rstd1,
            Int64(rows),
            Int64(d)
        )
        if last {
            gatherQueries(layer.h1, into: layer.hq)
            gatherQueries(space.x, into: space.xq)
        }
        let stream = last ? space.xq : space.x
        linear(layer.hq, d, block.qkv, into: layer.q, rows: queries, outputs: d)
        linear(layer.h1, d, block.qkv.rows(from: d, inputs: d), into: layer.kv, rows: rows, outputs: 2 * d)
        attend(layer, queries: last ? c.chunk : c.tokens)
        linear(layer.context, d, block.proj, into: stream, rows: queries, outputs: d, adding: true)
        kumiai_layer_norm(
            stream,
            w + block.norm2.weight,
            w + block.norm2.bias,
            layer.h2,
            layer.normalised2,
            layer.rstd2,
            Int64(queries),
            Int64(d)
        )
        linear(layer.h2, d, block.fc1, into: layer.f1, rows: queries, outputs: f)
        kumiai_gelu(layer.f1, layer.f2, layer.tanh, Int64(queries * f))
        linear(layer.f2, f, block.fc2, into: stream, rows: queries, outputs: d, adding: true)
    }

    /// Computes context = softmax(q·kᵀ/√h)·v, one head at a time.
    private func attend(_ layer: Workspace.Layer, queries: Int) {
        let d = c.width, h = c.headWidth, tokens = c.tokens
        let scale = 1 / Float(h).squareRoot()
        for sample in 0..<shard.count {
            for head in 0..<c.heads {
                let q = layer.q + sample * queries * d + head * h
                let k = layer.kv + sample * tokens * 2 * d + head * h
                let p = layer.probabilities + (sample * c.heads + head) * queries * tokens
                BLAS.multiply(q, d, k, 2 * d, bTransposed: true, into: p, tokens, m: queries, n: tokens, k: h)
                kumiai_softmax(p, Int64(queries), Int64(tokens), Int64(tokens), scale)
                BLAS.multiply(
                    p,
                    tokens,
                    k + d,
                    2 * d,
                    into: layer.context + sample * queries * d + head * h,
                    d,
                    m: queries,
                    n: h,
                    k: tokens
                )
            }
        }
    }

    /// Copies the rows of the action queries, which are the last tokens of each sample.
    private func gatherQueries(_ all: UnsafePointer<Float>, into queries: UnsafeMutablePointer<Float>) {
        let count = c.chunk * c.width
        for sample in 0..<shard.count {
            queries.advanced(by: sample * count).update(
                from: all + (sample + 1) * c.tokens * c.width - count,
                count: count
            )
        }
    }

    /// Sets y = x·Wᵀ + b; adds to y if `adding`.
    private func linear(
        _ x: UnsafePointer<Float>,
        _ inputs: Int,
        _ weights: Offsets.Linear,
        into y: UnsafeMutablePointer<Float>,
        rows: Int,
        outputs: Int,
        adding: Bool = false
    ) {
        BLAS.multiply(
            x,
            inputs,
            w + weights.weight,
            inputs,
            bTransposed: true,
            into: y,
            outputs,
            m: rows,
            n: outputs,
            k: inputs,
            adding: adding
        )
        kumiai_add_bias(y, w + weights.bias, Int64(rows), Int64(outputs))
    }
}
