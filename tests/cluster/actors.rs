//! The one kind of actor that only a node with a bus has, under more entries than its mailbox holds.

use lookout::actors::courier::Carry;

use crate::{
    stage::{NEVER, Stage, is_on_the_bus},
    support::{Hub, is_named_and_then_large_enough},
};

/// More than a courier takes out while one sender sends.
const BURST: usize = 20_000;

fn refused(node: &Hub) -> usize {
    let courier = node.lines().courier.as_ref().expect("a courier");
    (0..BURST).filter(|_| courier.try_send(Carry(Vec::new())).is_err()).count()
}

#[test]
fn an_overloaded_courier_is_named_with_a_value_that_is_then_enough() {
    let stage = Stage::new();
    let node = stage.node(NEVER).with(|config| config.mailbox.courier = 1).start();
    is_on_the_bus(&node);
    is_named_and_then_large_enough(&node, "courier", |mailbox| &mut mailbox.courier, refused);
    is_on_the_bus(&node);
}
